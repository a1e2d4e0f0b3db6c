'use strict';
// Runs in the Node process of jsii, beside the CDK: one call reads what would take Python one for
// each resource. It only reads; what follows from it is decided in Python.

const {
  CfnCondition, CfnElement, CfnOutput, CfnResource, DefaultTokenResolver, Reference, Stack, Stage,
  Tokenization, Validations,
} = require('aws-cdk-lib');
const { Construct } = require('constructs');

const FUNCTION = 'AWS::Lambda::Function';
// All that is read of a function; nothing else is resolved before its time.
const OF_FUNCTIONS = ['functionName', 'deadLetterConfig', 'description'];

class AppReader {
  /**
   * What the stacks of a stage or app define of some types, with references to other stacks as the
   * templates will have them: exports and imports.
   *
   * @param stage   the stage or app
   * @param types   the CloudFormation types to read; custom resources are read too
   * @param called  which of these are returned with their construct, and what is accepted of it
   */
  static read(stage, types, called) {
    const wanted = new Set(types);
    const withConstruct = new Set(called);
    const accepted = acknowledged();
    const stacks = new Map();
    const outputs = new Map();
    let hasConditions = false;
    for (const stack of stacksOf(stage)) {
      const [path, outer] = [stack.node.path, outermost(stack).node.path];
      stacks.set(stack, { path, outer, stack, resources: [], exports: {} });
    }
    const resolver = new ReferenceResolver((reference, value, here) => {
      const owner = stacks.get(stackOf(reference.target));
      // A reference may stand for another one, which is imported already.
      const isImported = value?.['Fn::ImportValue'] in (owner?.exports ?? {});
      if (owner === undefined || owner.stack === here || isImported) return value;
      const name = exportName(owner.path, value);
      owner.exports[name] = value;
      return { 'Fn::ImportValue': name };
    });
    for (const [stack, read] of stacks) {
      for (const element of elementsOf(stack)) {
        hasConditions ||= element instanceof CfnCondition;
        if (element instanceof CfnOutput && element.exportName !== undefined) {
          const name = stack.resolve(element.exportName);
          outputs.set(name, [...(outputs.get(name) ?? []), element]);
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
          Object.assign(resource, { element, construct, accepted: accepted(construct) });
        }
        read.resources.push(resource);
      }
    }
    // Only of what is imported: what is resolved before its time may not change any more.
    for (const name of importsOf([...stacks.values()].map((read) => read.resources))) {
      for (const output of outputs.get(name) ?? []) {
        stacks.get(output.stack).exports[name] = resolver.resolve(output.stack, output.value);
      }
    }
    return { stacks: [...stacks.values()], hasConditions };
  }

  /** The paths of the outermost stacks that are deployed before some stacks. */
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
  // A stack within it that is not nested is deployed by itself.
  const inside = stack.node.findAll().filter((each) => CfnElement.isCfnElement(each));
  for (const each of inside.filter((element) => outermost(element.stack) === stack)) {
    if (CfnResource.isCfnResource(each)) resolver.resolve(stack, each.cfnProperties);
    else if (each instanceof CfnOutput) resolver.resolve(stack, each.value);
  }
  const stacks = [...needed].map(stackOf).filter((each) => each !== undefined).map(outermost);
  yield* stacks.filter((each) => each !== stack);
}

/** Resolves tokens as CDK does, but for references, of which something is asked. */
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

/** The name by which others import a value: in texts of JSON, too, where some signs are escaped. */
function exportName(path, value) {
  return `${path}:${JSON.stringify(value)}`.replace(/["\\]/g, "'");
}

/** The names that are imported somewhere in a value. */
function* importsOf(value) {
  if (typeof value?.['Fn::ImportValue'] === 'string') yield value['Fn::ImportValue'];
  // Constructs are no values.
  else if (typeof value === 'object' && value !== null && !Construct.isConstruct(value)) {
    for (const each of Object.values(value)) yield* importsOf(each);
  }
}

/** The stacks of a stage, nested ones too, but for those of stages in it. */
function stacksOf(construct) {
  const below = construct.node.children.filter((child) => !Stage.isStage(child)).flatMap(stacksOf);
  return Stack.isStack(construct) ? [construct, ...below] : below;
}

/** What is in a stack's own template. */
function elementsOf(stack) {
  return stack.node.findAll().filter((each) => CfnElement.isCfnElement(each) && each.stack === stack);
}

/** The stack that a construct is in, or is; undefined of an app. */
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

/** Returns what tells the ids of the findings that are accepted of a construct or around it. */
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
