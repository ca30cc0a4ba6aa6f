/**
 * Reverse KL over the teacher's k most probable tokens and one bucket for all others, in place of the gap of
 * the one token that was drawn: the same expectation with less noise, and the student is told of tokens that
 * it did not draw. Sets of top tokens in on-policy distillation: "Rethinking OPD" (arXiv 2604.13016), which
 * takes the student's; the bucket for the rest keeps it a divergence, ≥ 0 and 0 only where both agree.
 *
 *   D = Σ_v p_v·log(p_v/q_v) + p_0·log(p_0/q_0),   p_0 = 1 − Σ p_v,   q_0 = 1 − Σ q_v
 *   ∇D = Σ_v p_v·[log(p_v/q_v) − log(p_0/q_0)]·∇log p_v
 *
 * So c_v = p_v·[log(q_v/p_v) − log(q_0/p_0)] for L = −Σ c_v·log p_v. The teacher's tokens, because they are
 * known before the forward pass, and because any server tells them.
 *
 * @param student log p_v [k] of the trainer's forward pass
 * @param teacher log q_v [k]
 */
export function reverseKlWeights(student: Float32Array, teacher: Float32Array): Float32Array {
  const rest = Math.log(restOf(teacher) / restOf(student));
  return student.map((logp, v) => Math.exp(logp) * (teacher[v]! - logp - rest));
}

/** 1 − Σ p_v; never so little that rounding is all there is of it. */
function restOf(logprobs: Float32Array): number {
  const sum = logprobs.reduce((total, logprob) => total + Math.exp(logprob), 0);
  return Math.max(1 - sum, 1e-6);
}
