/**
 * A refusal in the words of the control protocol: the server sends the message after `ERROR: `, and
 * the client throws one with the text that followed.
 */
export class ControlError extends Error {
  override readonly name = "ControlError";
}
