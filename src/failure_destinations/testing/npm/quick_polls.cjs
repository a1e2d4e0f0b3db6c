// Loaded into the CDK CLI before it starts, so that it asks for a stack's status four times a second.
// Its function `waitFor` asks every five seconds, which no option changes; an engine needs one or two.

"use strict";

const CLI_MS = 5000;
const QUICK_MS = 250;

globalThis.setTimeout = new Proxy(setTimeout, {
  apply(target, self, [callback, delay, ...args]) {
    const polls = delay === CLI_MS && new Error().stack.includes("waitFor");
    return Reflect.apply(target, self, [callback, polls ? QUICK_MS : delay, ...args]);
  },
});
