/** Something that the page can say in a line. */
export class Failure extends Error {
  override name = 'Failure';
  /** The HTTP status, where there is one. */
  readonly status: number | null;

  constructor(message: string, status: number | null = null) {
    super(message);
    this.status = status;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The answer if it is a good one. @throws {Failure} with what the API says is wrong. */
export async function goodResponse(response: Response): Promise<Response> {
  if (response.ok) return response;
  const body = (await response.json().catch(() => null)) as { error?: { message?: string } } | null;
  throw new Failure(body?.error?.message ?? `HTTP ${response.status}`, response.status);
}
