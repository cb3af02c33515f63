import fc from 'fast-check';
import type { Action, Call, Condition, Constant, Field, Paths, Policy, Rule, Test } from '../../src/policy/model.ts';

/** Arbitrary policies as models; their names make sense for the printer and the parser, not always for `resolvePolicy`. */

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.constantFrom<Action[]>({ kind: 'allow' }, { kind: 'log' }, { kind: 'notify' }, { kind: 'return_zero' }),
  fc.constantFrom<Action[]>({ kind: 'kill_thread' }, { kind: 'kill_process' }),
  fc.constantFrom('EPERM', 'ENOSYS').map((errno): Action => ({ kind: 'errno', errno })),
  fc.integer({ min: 1, max: 4095 }).map((errno): Action => ({ kind: 'errno', errno })),
  fc.nat(65535).map((data): Action => ({ kind: 'trap', data })),
  fc.nat(65535).map((data): Action => ({ kind: 'trace', data })),
);

const call: fc.Arbitrary<Call> = fc.oneof(
  fc.constantFrom('read', 'socket', 'openat').map((name): Call => ({ kind: 'name', name })),
  fc.constantFrom('network', 'glibc-threads').map((name): Call => ({ kind: 'set', name })),
  fc.nat(0xffff_ffff).map((number): Call => ({ kind: 'number', number })),
  fc
    .tuple(fc.nat(0x7fff_ffff), fc.integer({ min: 1, max: 0x7fff_ffff }))
    .map(([from, size]): Call => ({ kind: 'range', from, to: from + size })),
);

const { constant } = fc.letrec<{ constant: Constant; term: Constant[number] }>((tie) => ({
  constant: fc.array(tie('term'), { minLength: 1, maxLength: 3 }),
  term: fc.record(
    {
      value: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.constantFrom('AF_UNIX', 'O_RDONLY'),
        fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        tie('constant'),
      ),
      sign: fc.constantFrom<('-' | '~')[]>('-', '~'),
    },
    { requiredKeys: ['value'] },
  ),
}));

const field: fc.Arbitrary<Field> = fc.record(
  {
    argument: fc.constantFrom('fd', 'arg3', 'ip', 'flags'),
    width: fc.constantFrom<(32 | 64)[]>(32, 64),
    mask: constant,
  },
  { requiredKeys: ['argument'] },
);

const testOf: fc.Arbitrary<Test> = fc.oneof(
  fc.record({
    kind: fc.constant('compare' as const),
    field,
    operator: fc.constantFrom('==', '!=', '<', '<=', '>', '>='),
    constant,
  }),
  fc.record({
    kind: fc.constantFrom('in' as const, 'within' as const),
    field,
    constants: fc.array(constant, { minLength: 1, maxLength: 3 }),
  }),
);

/** Conditions of every shape, those with one operand included. */
export const condition: fc.Arbitrary<Condition> = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    testOf,
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      operands: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('not' as const), operand: tie('condition') }),
  ),
})).condition;

const comment: fc.Arbitrary<string> = fc
  .array(fc.string({ unit: fc.constantFrom('a', ' ', '#', ':', '"', '[', '-', 'é', '\\') }), {
    minLength: 1,
    maxLength: 2,
  })
  .map((lines) => lines.map((line) => line.trimEnd()).join('\n'));

const rule: fc.Arbitrary<Rule> = fc.record(
  { action, call, condition, commentBefore: comment, comment: comment.map((text) => text.replaceAll('\n', '')) },
  { requiredKeys: ['action', 'call'] },
);

/** A rule of `syscalls:` or of `only:`. */
const ownRule: fc.Arbitrary<Rule> = fc
  .tuple(rule, fc.constantFrom(undefined, undefined, 'i386' as const, 'x86_64' as const))
  .map(([made, only]) => ({ ...made, ...(only && { only }) }));

const pathList = fc.uniqueArray(
  fc.record(
    {
      path: fc
        .array(fc.constantFrom('usr', 'lib64', 'a b', '#', ': x', '"', 'é', '- 1', '{'), { maxLength: 3 })
        .map((parts) => `/${parts.join('/')}`),
      isOptional: fc.boolean(),
      commentBefore: comment,
      comment: comment.map((text) => text.replaceAll('\n', '')),
    },
    { requiredKeys: ['path', 'isOptional'] },
  ),
  { selector: ({ path }) => path, minLength: 1, maxLength: 3 },
);

const paths: fc.Arbitrary<Paths> = fc
  .record(
    { abi: fc.integer({ min: 1, max: 5 }), read: pathList, write: pathList, execute: pathList },
    { requiredKeys: [] },
  )
  .filter(({ read, write, execute }) => (read ?? write ?? execute) !== undefined);

/** Policies with comments everywhere. */
export const policyModel: fc.Arbitrary<Policy> = fc
  .record(
    {
      selkie: fc.constant(1 as const),
      sets: fc.constant(1 as const),
      name: fc.string({ minLength: 1 }),
      arches: fc.constantFrom(['x86_64' as const], ['aarch64' as const, 'i386' as const, 'x86_64' as const]),
      default: action,
      made: fc.record({ kernel: fc.constantFrom('6.18', '5.10'), unknown: action }),
      badArch: action,
      syscalls: fc.array(ownRule, { maxLength: 8 }),
      start: fc.array(rule, { maxLength: 3 }),
      service: fc.array(rule, { maxLength: 3 }),
      paths,
      commentBefore: comment,
      keyComments: fc.dictionary(
        fc.constantFrom(
          'selkie',
          'default',
          'syscalls',
          'syscalls.allow',
          'only',
          'only.i386',
          'only.i386.allow',
          'paths',
          'paths.read',
          'end',
        ),
        fc.record({ before: comment }),
      ),
    },
    { requiredKeys: ['selkie', 'sets', 'default', 'badArch', 'syscalls'] },
  )
  .map(({ made, syscalls, ...rest }) => ({
    ...rest,
    ...made,
    // Rules for ABIs that the policy does not list are refused.
    syscalls: syscalls.filter(({ only }) => only !== 'i386' || rest.arches?.length !== 1),
  }));
