// Loaded into a daemon ahead of its program, to see how much processor time its event loop's thread
// spends before a timer that is due gets its turn. That does not grow with the load of the machine,
// as the time on the clock does.
const { appendFileSync } = require("node:fs");

/** The timer's interval: what one gap between two ticks may take even if nothing holds it up. */
const INTERVAL_MS = 10;
/** Shorter gaps are not worth writing down. */
const WORTH_WRITING_MS = 50;
const MS_PER_CLOCK_TICK = 10;

const file = process.env.RECEPTOR_LOOP_PROBE;

function usedMs() {
  const stat = Deno.readTextFileSync("/proc/thread-self/stat");
  // The name, in parentheses, may hold anything; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_CLOCK_TICK;
}

function write(ms) {
  appendFileSync(file, `${ms}\n`);
}

let before = usedMs();
// Shows that the probe is at work.
write(0);
setInterval(() => {
  const now = usedMs();
  if (now - before >= WORTH_WRITING_MS) write(now - before);
  before = now;
}, INTERVAL_MS).unref();
