'use strict';
// Runs in jsii's Node process, beside the CDK, and reads an app in one call where Python would need
// one for each resource. It only reads; Python decides what follows.

const {
  CfnCondition, CfnElement, CfnOutput, CfnResource, DefaultTokenResolver, Reference, Stack, Stage,
  Token, Tokenization, Validations,
} = require('aws-cdk-lib');
const { Construct } = require('constructs');

const FUNCTION = 'AWS::Lambda::Function';
const IMPORT = 'Fn::ImportValue';
const GET_OUTPUT = 'Fn::GetStackOutput';
// Only these properties of a function are read: resolving others early could change the app.
const OF_FUNCTIONS = ['functionName', 'deadLetterConfig', 'description'];

class AppReader {
  /**
   * Returns the resources of some types that a stage or app defines. References to other stacks are
   * exports and imports, whether the templates will have these or outputs.
   *
   * @param stage   the stage or app
   * @param types   the CloudFormation types to read; custom resources are always read
   * @param called  the types to return with construct and acknowledged findings
   */
  static read(stage, types, called) {
    const wanted = new Set(types);
    const withConstruct = new Set(called);
    const accepted = acknowledged();
    const stacks = new Map();
    const exported = new Map();
    const named = new Map();
    let hasConditions = false;
    for (const stack of stacksOf(stage)) {
      const [path, outer] = [stack.node.path, outermost(stack).node.path];
      const name = stack.stackName;
      const [account, region] = [stack.account, stack.region].map(knownPlace);
      const place = { path, outer, name, account, region };
      stacks.set(stack, { ...place, stack, resources: [], exports: {}, outputs: {} });
    }
    const resolver = new ReferenceResolver((reference, value, here) => {
      const owner = stacks.get(stackOf(reference.target));
      // A reference may resolve to another one that is already an import.
      const isImported = value?.[IMPORT] in (owner?.exports ?? {});
      if (owner === undefined || owner.stack === here || isImported) return value;
      const name = exportName(owner.path, value);
      owner.exports[name] = value;
      return { [IMPORT]: name };
    });
    for (const [stack, read] of stacks) {
      for (const element of elementsOf(stack)) {
        hasConditions ||= element instanceof CfnCondition;
        if (element instanceof CfnOutput) {
          append(named, stack.resolve(element.logicalId), element);
          if (element.exportName !== undefined) {
            append(exported, stack.resolve(element.exportName), element);
          }
        }
        if (!CfnResource.isCfnResource(element)) continue;
        const type = element.cfnResourceType;
        if (!wanted.has(type) && !type.startsWith('Custom::')) continue;
        const resource = {
          id: stack.resolve(element.logicalId),
          type,
          properties: resolver.resolve(stack, propertiesOf(element)),
        };
        if (withConstruct.has(type)) {
          const construct = element.node.scope;
          Object.assign(resource, { element, construct, accepted: accepted(element) });
        }
        read.resources.push(resource);
      }
    }
    // Only outputs that are referred to: a value that is resolved early must not change afterwards.
    const waiting = [[...stacks.values()].map((read) => read.resources)];
    while (waiting.length > 0) {
      for (const { isExport, name, stackName } of referencesIn(waiting.pop())) {
        for (const output of (isExport ? exported : named).get(name) ?? []) {
          const read = stacks.get(output.stack);
          const known = isExport ? read.exports : read.outputs;
          if (Object.hasOwn(known, name) || ![undefined, read.name].includes(stackName)) continue;
          known[name] = resolver.resolve(output.stack, output.value);
          waiting.push(known[name]);
        }
      }
    }
    return { stacks: [...stacks.values()], hasConditions };
  }

  /** Returns the paths of the outermost stacks that are deployed before some stacks. */
  static before(stacks) {
    const found = new Set();
    const waiting = stacks.map(outermost);
    while (waiting.length > 0) {
      for (const stack of directlyBefore(waiting.pop())) {
        if (!found.has(stack)) waiting.push(stack);
        found.add(stack);
      }
    }
    return [...found].map((stack) => stack.node.path);
  }
}

function* directlyBefore(stack) {
  yield* stack.dependencies.map(outermost);
  const needed = new Set(stack.node.dependencies);
  const resolver = new ReferenceResolver((reference) => {
    needed.add(reference.target);
    return '';
  });
  // A stack inside it that is not a nested stack is deployed on its own.
  const inside = stack.node.findAll().filter((each) => CfnElement.isCfnElement(each));
  for (const each of inside.filter((element) => outermost(element.stack) === stack)) {
    if (CfnResource.isCfnResource(each)) resolver.resolve(stack, each.cfnProperties);
    else if (each instanceof CfnOutput) resolver.resolve(stack, each.value);
  }
  const stacks = [...needed].map(stackOf).filter((each) => each !== undefined).map(outermost);
  yield* stacks.filter((each) => each !== stack);
}

/** Resolves tokens as the CDK does, but calls `write` for each reference. */
class ReferenceResolver extends DefaultTokenResolver {
  constructor(write) {
    super({ join: joined });
    this.write = write;
  }

  resolve(scope, value) {
    return Tokenization.resolve(value, { scope, resolver: this, preparing: false });
  }

  resolveToken(token, context, postProcessor) {
    const value = super.resolveToken(token, context, postProcessor);
    return Reference.isReference(token) ? this.write(token, value, stackOf(context.scope)) : value;
  }
}

function joined(left, right) {
  if (left === undefined || right === undefined) return left === undefined ? right : left;
  const parts = [];
  for (const part of [left, right].flatMap(partsOf)) {
    const isText = typeof part !== 'object' && parts.length > 0 && typeof parts.at(-1) !== 'object';
    parts.push(isText ? `${parts.pop()}${part}` : part);
  }
  return parts.length === 1 ? parts[0] : { 'Fn::Join': ['', parts] };
}

function partsOf(value) {
  const [delimiter, parts] = value?.['Fn::Join'] ?? [];
  return delimiter === '' && Array.isArray(parts) ? parts : [value];
}

/** Returns the name of a value's export, without characters that JSON strings escape. */
function exportName(path, value) {
  return `${path}:${JSON.stringify(value)}`.replace(/["\\]/g, "'");
}

/** Yields the exports and outputs that a value refers to, at any depth. */
function* referencesIn(value) {
  const { StackName: stack, OutputName: output } = value?.[GET_OUTPUT] ?? {};
  if (typeof value?.[IMPORT] === 'string') yield { isExport: true, name: value[IMPORT] };
  else if (typeof output === 'string') {
    // A name that is put together may be that of any stack.
    yield { name: output, stackName: typeof stack === 'string' ? stack : undefined };
  } else if (typeof value === 'object' && value !== null && !Construct.isConstruct(value)) {
    for (const each of Object.values(value)) yield* referencesIn(each);
  }
}

function append(lists, key, value) {
  lists.set(key, [...(lists.get(key) ?? []), value]);
}

/** Returns an account or Region, empty if it is only known at deployment. */
function knownPlace(place) {
  return Token.isUnresolved(place) ? '' : place;
}

/** Returns the stacks and nested stacks of a stage, without those of stages inside it. */
function stacksOf(construct) {
  const below = construct.node.children.filter((child) => !Stage.isStage(child)).flatMap(stacksOf);
  return Stack.isStack(construct) ? [construct, ...below] : below;
}

/** Returns the elements of a stack's own template. */
function elementsOf(stack) {
  return stack.node.findAll().filter((each) => CfnElement.isCfnElement(each) && each.stack === stack);
}

/** Returns the stack that a construct is or belongs to; undefined for an app. */
function stackOf(construct) {
  return construct.node.scopes.findLast((each) => Stack.isStack(each));
}

function outermost(stack) {
  return stack.nestedStackParent === undefined ? stack : outermost(stack.nestedStackParent);
}

function propertiesOf(resource) {
  const properties = resource.cfnProperties;
  if (resource.cfnResourceType !== FUNCTION) return properties;
  return Object.fromEntries(OF_FUNCTIONS.map((name) => [name, properties[name]]));
}

/** Returns a function from a construct to the findings acknowledged on it or on a parent. */
function acknowledged() {
  const known = new Map();
  return function of(construct) {
    if (construct === undefined) return [];
    if (!known.has(construct)) {
      const own = construct.node.metadata
        .filter((entry) => entry.type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
        .flatMap((entry) => Object.keys(entry.data));
      known.set(construct, [...own, ...of(construct.node.scope)]);
    }
    return known.get(construct);
  };
}

exports.AppReader = AppReader;
