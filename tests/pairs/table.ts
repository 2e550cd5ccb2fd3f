/** The table: which disturbances there are for a shape of mesh, and which of them meet in pairs. */
import * as disturbances from "./disturbances.ts";
import type { Disturbance } from "./disturbances.ts";
import type { Shape } from "./strained_mesh.ts";

type Place = "a" | "b" | "c";
type Kind = (place: Place) => Disturbance;

/** One place for each role: the node that submits, one between, the node that executes. */
const PLACES: readonly Place[] = ["a", "b", "c"];

/** The link to the node between, on the submitting or the executing side. */
const cut: Kind = (place) => disturbances.cut(place === "a" ? "a" : "c", "b");

const KINDS: readonly Kind[] = [
  disturbances.reload,
  disturbances.refusedReload,
  disturbances.stop,
  disturbances.kill,
  cut,
  disturbances.renewal,
];

/** Each kind in each place, once. */
export function allDisturbances(): Disturbance[] {
  const all = KINDS.flatMap((kind) => PLACES.map((place) => kind(place)));
  return all.filter(({ name }, index) => all.findIndex((other) => other.name === name) === index);
}

/** Each kind with each kind; the places take turns, and differ between the shapes. */
export function pairsOfDisturbances(shape: Shape): [Disturbance, Disturbance][] {
  const places = PLACES.flatMap((first) => PLACES.map((second) => [first, second] as const));
  let turn = shape === "line" ? 0 : 4;
  return KINDS.flatMap((first) =>
    KINDS.map((second): [Disturbance, Disturbance] => {
      while (true) {
        const [one, other] = places[turn++ % places.length]!;
        const pair = [first(one), second(other)] as [Disturbance, Disturbance];
        if (canMeet(...pair)) return pair;
      }
    })
  );
}

/** A dead node can be struck by nothing, and nothing is broken twice. */
function canMeet(first: Disturbance, second: Disturbance): boolean {
  if (first.name === second.name && !first.name.includes("reload")) return false;
  return !(first.isDead && first.node === second.node);
}
