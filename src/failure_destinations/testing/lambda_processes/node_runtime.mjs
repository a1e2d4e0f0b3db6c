// Runs a Lambda handler on Node: gets invocations from the Runtime API and posts their results.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
// Started as: node node_runtime.mjs HANDLER, with the function's environment variables.

import { existsSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import util from "node:util";

const env = process.env;
const api = new URL(`http://${env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/`);
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let requestId;
let whenIdle = () => {};

class RuntimeError extends Error {
  constructor(name, message) {
    super(message);
    this.name = `Runtime.${name}`;
  }
}

// Not fetch: it gives up on a response after five minutes, and `invocation/next` may take longer.
function request(method, resource, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) };
    const options = { agent, headers: { "Content-Type": "application/json", ...headers }, method };
    const sent = http.request(new URL(resource, api), options, (response) => {
      const pieces = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(pieces).toString();
        resolve({ status: response.statusCode, headers: response.headers, text });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

// Without the engine there is nothing left to do.
const requestOrExit = (...args) => request(...args).catch(() => process.exit(1));

function describe(error) {
  if (util.types.isNativeError(error) || error instanceof Error) {
    const trace = error.stack?.split("\n") ?? [];
    return { errorType: error.name, errorMessage: error.message, trace };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

function logFailure(level, title, error) {
  const { trace, ...summary } = describe(error);
  const details = error instanceof Error ? { ...error } : {};
  writeLog(level, `${title} \t${JSON.stringify({ ...summary, ...details, stack: trace })}`);
}

function writeLog(level, message) {
  // A carriage return keeps the lines of one message in one log event.
  const text = message.replaceAll("\n", "\r");
  process.stdout.write(`${new Date().toISOString()}\t${requestId}\t${level}\t${text}\n`);
}

function patchConsole() {
  const levels = { log: "INFO", info: "INFO", debug: "DEBUG", trace: "TRACE", warn: "WARN" };
  for (const [name, level] of Object.entries({ ...levels, error: "ERROR" })) {
    console[name] = (...args) => writeLog(level, util.format(...args));
  }
}

function handlerFile(directory, name) {
  const base = path.resolve(env.LAMBDA_TASK_ROOT, directory, name);
  const file = [".js", ".mjs", ".cjs"].map((ending) => base + ending).find(existsSync);
  if (file === undefined) {
    throw new RuntimeError("ImportModuleError", `Error: Cannot find module '${name}'`);
  }
  return file;
}

async function loadModule(file) {
  try {
    // Loads both kinds of module; the exports of a CommonJS one are its default export.
    return await import(pathToFileURL(file));
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw Object.assign(error, { name: "Runtime.UserCodeSyntaxError" });
    }
    if (error.code === "MODULE_NOT_FOUND" || error.code === "ERR_MODULE_NOT_FOUND") {
      throw new RuntimeError("ImportModuleError", String(error));
    }
    throw error;
  }
}

async function loadHandler(specification) {
  const { dir, base } = path.parse(specification);
  const [name, ...properties] = base.split(".");
  if (properties.length === 0) {
    throw new RuntimeError("MalformedHandlerName", `Bad handler '${specification}'`);
  }
  const module = await loadModule(handlerFile(dir, name));
  const find = (exports) => properties.reduce((value, property) => value?.[property], exports);
  const handler = find(module) ?? find(module.default);
  if (typeof handler !== "function") {
    const problem = handler === undefined ? "undefined or not exported" : "not a function";
    throw new RuntimeError("HandlerNotFound", `${specification} is ${problem}`);
  }
  return handler;
}

function createContext(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const clientContext = headers["lambda-runtime-client-context"];
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: requestId,
    clientContext: clientContext && JSON.parse(clientContext),
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

// A handler answers with a promise, or calls back, or does neither and gives null once it has
// nothing left to do. https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
function runHandler(handler, event, context) {
  return new Promise((resolve, reject) => {
    whenIdle = () => resolve(null);
    const callback = (error, response) => {
      if (error !== undefined && error !== null) {
        reject(error);
      } else if (context.callbackWaitsForEmptyEventLoop) {
        whenIdle = () => resolve(response);
      } else {
        resolve(response);
      }
    };
    context.done = callback;
    context.succeed = (response) => callback(null, response);
    context.fail = (error) => callback(error ?? "handled");
    const returned = handler(event, context, callback);
    if (typeof returned?.then === "function") {
      returned.then(resolve, reject);
    }
  });
}

function serialize(response) {
  try {
    return JSON.stringify(response ?? null) ?? "null";
  } catch {
    throw new Error("Unable to stringify response body");
  }
}

async function runNext(handler) {
  const next = await requestOrExit("GET", "invocation/next");
  requestId = next.headers["lambda-runtime-aws-request-id"];
  env._X_AMZN_TRACE_ID = next.headers["lambda-runtime-trace-id"] ?? "";
  try {
    const response = await runHandler(handler, JSON.parse(next.text), createContext(next.headers));
    await requestOrExit("POST", `invocation/${requestId}/response`, serialize(response));
  } catch (error) {
    logFailure("ERROR", "Invoke Error", error);
    await reportError(error);
  }
}

function reportError(error) {
  const resource = requestId === undefined ? "init/error" : `invocation/${requestId}/error`;
  return requestOrExit("POST", resource, JSON.stringify(describe(error)));
}

async function exitWith(status, title, error) {
  logFailure("ERROR", title, error);
  await reportError(error);
  process.exit(status);
}

patchConsole();
process.on("beforeExit", () => whenIdle());
process.on("uncaughtException", (error) => exitWith(129, "Uncaught Exception", error));
process.on("unhandledRejection", (reason) => {
  const error = new RuntimeError("UnhandledPromiseRejection", String(reason));
  exitWith(128, "Unhandled Promise Rejection", Object.assign(error, { reason }));
});

let handler;
try {
  handler = await loadHandler(process.argv[2]);
} catch (error) {
  await exitWith(1, "Uncaught Exception", error);
}
for (;;) {
  await runNext(handler);
}
