import * as v from 'valibot';
import { ARCH_NAMES, type ArchName } from '../facts/arches.ts';
import { NEWEST_FILE_ABI, type PathList } from '../facts/landlock.ts';
import { ACTION_PATTERN } from './action.ts';
import { OPTIONAL } from './check-paths.ts';
import type { Section } from './model.ts';

/**
 * The outer shape of a policy's text. The parser checks by it, and schema/policy.schema.json is made from it, so that
 * the two cannot differ.
 */

/** Keys that later versions of Selkie will read: refused by name, so that no text changes its meaning silently. */
export const RESERVED_KEYS: readonly string[] = ['flags'];

const NUMBER = '(?:[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+)';

/** A name, a set, a number or a range of them: `read`, `@go`, `syscall(335)`, `syscall(1000..0x3fffffff)`. */
export const CALL_PATTERN: RegExp = new RegExp(
  `^(?:[a-z_][a-z0-9_]*|@[a-z][a-z0-9-]*|syscall\\(${NUMBER}(?:\\.\\.${NUMBER})?\\))$`,
);

/** What every condition starts with: a letter, a digit or `(`. */
export const CONDITION_PATTERN: RegExp = /^[A-Za-z0-9_(]/;

/** One entry of a list of calls: `read`, or `{ socket: 'domain == AF_UNIX' }`. */
export type RuleText = string | Readonly<Record<string, string>>;
/** Actions to their calls. */
export type RulesText = Readonly<Record<string, readonly RuleText[]>>;
/** ABIs, or `other`, to rules that are for them alone. */
export type OnlyText = Readonly<Partial<Record<Section, Readonly<Record<string, readonly RuleText[] | string>>>>>;

/** A path, or one that may be missing: `{ '/lib64': 'optional' }`. */
export type PathText = string | Readonly<Record<string, typeof OPTIONAL>>;
/** Lists to their paths. */
export type PathsText = {
  readonly abi?: number | undefined;
} & { readonly [List in PathList]?: readonly PathText[] | undefined };

/** A policy's text as plain values, keys as written. */
export interface PolicyText {
  readonly selkie: 1;
  readonly sets?: 1 | undefined;
  readonly name?: string | undefined;
  readonly arches?: readonly ArchName[] | undefined;
  readonly default: string;
  readonly kernel?: string | undefined;
  readonly unknown?: string | undefined;
  readonly bad_arch?: string | undefined;
  readonly syscalls: RulesText;
  readonly only?: OnlyText | undefined;
  readonly start?: RulesText | undefined;
  readonly paths?: PathsText | undefined;
}

const WANT_ARCH = `wanted one of ${ARCH_NAMES.join(', ')}`;
const WANT_ACTION = 'wanted an action such as errno(EPERM)';
const WANT_RULE = 'wanted a call, or one call with its condition: "name: condition"';

const action = v.pipe(
  v.string(WANT_ACTION),
  v.regex(ACTION_PATTERN, WANT_ACTION),
  v.description('allow, log, notify, trace(n), errno(NAME), return_zero, trap(n), kill_thread or kill_process'),
);
// Keys are no picklist, as JSON Schema has none for them.
const archKey = v.pipe(
  v.string(WANT_ARCH),
  v.regex(new RegExp(`^(?:${ARCH_NAMES.join('|')}|other)$`), WANT_ARCH),
  v.description('an ABI; other: the calls that get bad_arch, by number only'),
);
const call = v.pipe(
  v.string(WANT_RULE),
  v.regex(CALL_PATTERN, 'wanted a call: a name, "@set" or syscall(number)'),
  v.description('a name, "@set", syscall(number) or syscall(first..last)'),
);
const condition = v.pipe(
  v.string('wanted a condition as text'),
  v.regex(CONDITION_PATTERN, 'wanted a condition that starts with an argument, "not" or "("'),
  v.description('a condition on the arguments, such as: domain == AF_UNIX && (type & 0xf) == SOCK_STREAM'),
);
/** An action, or `default`. */
const onlyKey = v.pipe(v.string(WANT_ACTION), v.regex(new RegExp(`^default$|${ACTION_PATTERN.source}`), WANT_ACTION));
const conditional = v.pipe(v.record(call, condition), v.minEntries(1, WANT_RULE), v.maxEntries(1, WANT_RULE));
const ruleList = v.array(v.union([call, conditional], WANT_RULE), 'wanted a list of calls');
const rules = v.pipe(v.record(action, ruleList), v.description('actions to their calls, one call a line'));

const WANT_PATH = 'wanted a path from / on';
const path = v.pipe(
  v.string(WANT_PATH),
  v.regex(/^\/[^*]*$/, WANT_PATH),
  v.description('from / on, without ".", "..", doubled slashes and patterns; all that is beneath it belongs to it'),
);
const optionalPath = v.pipe(
  v.record(path, v.literal(OPTIONAL)),
  v.minEntries(1, WANT_PATH),
  v.maxEntries(1, WANT_PATH),
  v.description('no error where it is missing'),
);
const pathList = (about: string) =>
  v.optional(
    v.pipe(
      v.array(v.union([path, optionalPath], WANT_PATH), 'wanted a list of paths'),
      v.minLength(1, WANT_PATH),
      v.description(about),
    ),
  );
const paths = v.pipe(
  v.strictObject({
    abi: v.optional(
      v.pipe(
        v.number('wanted an ABI of Landlock'),
        v.integer(),
        v.minValue(1),
        v.maxValue(NEWEST_FILE_ABI),
        v.description('oldest ABI of Landlock that will do; 3 where absent'),
      ),
    ),
    read: pathList('files that may be read, folders that may be listed'),
    write: pathList('what may be written, truncated, created, removed, renamed and linked'),
    execute: pathList('files that may be executed, and so read'),
  }),
  v.description('files that are permitted, by Landlock; all others are refused'),
);

/** Checks the shape of a policy's text; the messages complete the sentence "... is not accepted: ". */
export const policySchema: v.GenericSchema<PolicyText> = v.pipe(
  v.strictObject(
    {
      selkie: v.pipe(v.literal(1, 'wanted 1, the version of the policy language'), v.description('language version')),
      sets: v.optional(
        v.pipe(v.literal(1, 'wanted 1, the edition of the named sets'), v.description('edition of the named sets')),
      ),
      name: v.optional(v.pipe(v.string('wanted a name as text'), v.nonEmpty('wanted a name'))),
      arches: v.optional(
        v.pipe(
          v.array(v.picklist(ARCH_NAMES, WANT_ARCH), 'wanted a list of ABIs: [x86_64]'),
          v.minLength(1, 'wanted at least one ABI'),
          v.description('ABIs it is for; others of the CPU get bad_arch'),
        ),
      ),
      default: v.pipe(action, v.description('for calls that no rule names')),
      kernel: v.optional(
        v.pipe(
          v.string('wanted a release in quotes, such as "6.18"'),
          v.regex(/^[0-9]{1,4}\.[0-9]{1,4}$/, 'wanted a release such as "6.18"'),
          v.description('release it was made for; goes with unknown'),
        ),
      ),
      unknown: v.optional(v.pipe(action, v.description('for syscalls newer than kernel that no rule names'))),
      bad_arch: v.optional(v.pipe(action, v.description('for calls by other ABIs; kill_process where absent'))),
      syscalls: rules,
      only: v.optional(
        v.pipe(
          v.record(archKey, v.record(onlyKey, v.union([ruleList, action], WANT_RULE))),
          v.description('ABIs to rules, and a default, that are in force for them alone'),
        ),
      ),
      start: v.optional(rules),
      service: v.optional(v.pipe(rules, v.description('what remains permitted of syscalls once the program is ready'))),
      paths: v.optional(paths),
    },
    'wanted a map of keys',
  ),
  v.title('Selkie policy'),
);
