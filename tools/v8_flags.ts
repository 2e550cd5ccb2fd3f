/**
 * Flags of V8 for the built programs. Its space for new objects is bounded well below its default:
 * a busy node fills any such space with short-lived objects, and then keeps it for a while.
 */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=4";
