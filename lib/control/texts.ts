/**
 * Every text that is part of the control protocol: clients match these, AWX by prefix and by
 * regular expression, so they are the original's byte for byte (checked against 1.6.9). Those of
 * `refusals` are sent after `ERROR: `.
 */

export const greeting = (nodeId: string) => `Receptor Control, node ${nodeId}`;
export const connecting = "Connecting";
/** What a client is told that has offered to tell the size of its window, and now has to. */
export const connectingTerminal = "Connecting a terminal";
export const unitCreated = (unitId: string) =>
  `Work unit created with ID ${unitId}. Send stdin data and EOF.`;
export const streamingResults = (unitId: string) => `Streaming results for work unit ${unitId}`;
export const errorLine = (message: string) => `ERROR: ${message}`;

export const refusals = {
  unknownCommand: (word: string) => `Unknown command, ${word}`,
  commandMissing: "JSON did not contain a command",
  commandNotString: "command must be a string",

  statusParameters: "status command does not take parameters",
  requestedFieldNotString: "each element of requested_fields must be a string",
  noPingTarget: "no ping target",
  pingTargetNotString: "ping target must be string",
  noTracerouteTarget: "no traceroute target",
  tracerouteTargetNotString: "traceroute target must be string",
  noConnectTarget: "no connect target",
  connectParameters: "too many parameters",
  noConnectNode: "no connect target node",
  connectNodeNotString: "connect target node must be string",
  noConnectService: "no connect target service",
  connectServiceNotString: "connect target service must be string",
  connectTlsNotString: "connect tls name must be string",
  unknownTls: (name: string) => `unknown TLS config ${name}`,
  noReload: "no configuration file was provided, reload function not set",

  badWorkCommand: "bad command",
  submitWords: "work submit requires a target node and work type",
  unitIdMissing: (subcommand: string) => `work ${subcommand} requires a unit ID`,
  wordsAfterUnitId: (subcommand: string) =>
    `work ${subcommand} does not take parameters after the unit ID`,
  resultsWords: "work results only takes a unit ID and optional start position",
  startPosition: (problem: string) => `error converting start position to integer: ${problem}`,
  notAnInteger: (text: string) => `strconv.ParseInt: parsing ${text}: invalid syntax`,
  integerOutOfRange: (text: string) => `strconv.ParseInt: parsing ${text}: value out of range`,
  fieldMissing: (name: string) => `field ${name} missing`,
  fieldNotString: (name: string) => `field ${name} must be a string`,
  fieldNotInteger: (name: string, value: string) =>
    `field ${name} value ${value} is not convertible to an int`,
  submitFieldNotString: (name: string) =>
    `submit parameters must all be strings and ${name} is not`,

  // The original passes on the message of its JSON parser, which no client matches.
  notJson: (problem: string) => `command is not valid JSON: ${problem}`,
  // It has no texts for these: it crashes, takes any length, or ends the stream without a word.
  tooManyValues: (max: number) => `a JSON command may hold at most ${max} values`,
  tooManyLongLines: "too many long command lines or replies at once, try again later",
  lineTooSlow: (limitMs: number) => `command line was not complete after ${limitMs / 1000} s`,
  noCommand: (limitMs: number) => `no command came within ${limitMs / 1000} s`,
  requestedFieldsNotList: "requested_fields must be a list of strings",
  lineTooLong: (maxBytes: number) => `command line is longer than ${maxBytes} bytes`,
  startPositionNegative: (position: number) =>
    `start position must not be negative, got ${position}`,
} as const;
