/**
 * A row of the scoreboard: something that users do, done by each contender in turn, and the
 * resulting figures.
 */

/** Whose daemons do it. */
export type Kind = "ours" | "go";

type Awaitable<T> = T | Promise<T>;

/** One line of the table. */
export interface Figure {
  /** Its key in a run's sample. */
  readonly key: string;
  readonly label: string;
  readonly unit: string;
  readonly better: "lower" | "higher";
}

/** The result of one run: a number for each of the row's figures that it yields. */
export type Sample = Readonly<Record<string, number>>;

/** Somebody who is ready to be measured: their daemons are up and warm. */
export interface Contender extends AsyncDisposable {
  /** Does it once. Gives up and rejects when the signal aborts. */
  run(signal: AbortSignal): Promise<Sample>;
}

/** A yardstick without Receptor: only the part of the work that nobody can avoid. */
export interface Limit {
  /** What it is, for the table. */
  readonly name: string;
  /** Gives `undefined` if this machine lacks a program that it needs. */
  setUp(signal: AbortSignal): Awaitable<Contender | undefined>;
}

export interface Row {
  /** As `--only` names it. */
  readonly name: string;
  /** What is done. */
  readonly title: string;
  readonly figures: readonly Figure[];
  /** Runs of each contender, unless `--runs` says otherwise. */
  readonly runs: number;
  /** A run or a set-up that takes longer than this has failed. */
  readonly timeoutMs: number;
  readonly limits?: readonly Limit[];
  /** What this machine lacks for it; without a row's name, such rows are left out. */
  readonly missing?: string;
  setUp(kind: Kind, signal: AbortSignal): Awaitable<Contender>;
}

/** How much a row does. */
export interface Scale {
  /** `full` for figures that count, `quick` to see whether the row works. */
  pick(full: number, quick: number): number;
}

/** Full scale, or that of a smoke test. */
export function scaleOf(quick: boolean): Scale {
  return { pick: (full, small) => quick ? small : full };
}

/** A contender that starts everything afresh in each run. */
export function afresh(run: (signal: AbortSignal) => Promise<Sample>): Contender {
  return { run, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** A contender that uses `owned` in all of its runs, and disposes of it at the end. */
export function over(
  owned: AsyncDisposable,
  run: (signal: AbortSignal) => Promise<Sample>,
): Contender {
  return { run, [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose]() };
}

/** Does `work` with `owned` before anything is measured; if that fails, disposes of `owned`. */
export async function warmUp(owned: AsyncDisposable, work: () => Promise<unknown>): Promise<void> {
  await using stack = new AsyncDisposableStack();
  stack.use(owned);
  await work();
  stack.move();
}
