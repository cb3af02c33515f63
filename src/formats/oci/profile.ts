import { didYouMean } from '../../base/nearest.ts';
import { U64_MAX } from '../../base/u64.ts';
import type { ArchName } from '../../facts/arches.ts';
import { errnoNames, errnoNumber } from '../../facts/errnos.ts';
import type { Action } from '../../policy/model.ts';
import { quote } from '../../policy/source.ts';
import type { Fields } from './fields.ts';
import type { JsonNode } from './json.ts';
import { ACTIONS, ARCHITECTURES, OPERATORS } from './names.ts';

/** A profile as written: names not looked up, nothing left out yet. Errnos are numbers. */
export interface Profile {
  readonly defaultAction: Action;
  /** Names of `architectures`; from an `archMap`, those of the native entry; empty where neither says more than native. */
  readonly architectures: readonly (ArchName | undefined)[];
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly names: readonly { readonly name: string; readonly offset: number }[];
  readonly action: Action;
  readonly args: readonly Comparison[];
  readonly includes: Filter;
  readonly excludes: Filter;
  readonly comment: string | undefined;
}

export interface Comparison {
  readonly index: number;
  readonly operator: '==' | '!=' | '<' | '<=' | '>' | '>=' | 'masked';
  /** The mask of `masked`. */
  readonly value: bigint;
  /** What is left under the mask. */
  readonly valueTwo: bigint;
  readonly offset: number;
}

export interface Filter {
  readonly caps: readonly string[];
  readonly arches: readonly string[];
  readonly minKernel: string | undefined;
  readonly offset: number;
}

const TOP_KEYS = [
  ...['defaultAction', 'defaultErrnoRet', 'defaultErrno', 'architectures', 'archMap', 'syscalls', 'flags'],
  ...['listenerPath', 'listenerMetadata'],
];
const ENTRY_KEYS = ['names', 'name', 'action', 'errnoRet', 'errno', 'args', 'comment', 'includes', 'excludes'];
/** Errno of runc where a profile says none. */
const EPERM = 1;
/** libseccomp refuses 4095, the greatest of the kernel, and all above. */
const MAX_ERRNO = 4094n;
const MAX_DATA = 0xffffn;

/**
 * Reads the outer shape of a profile: OCI's, Docker's or containers-common's.
 *
 * @param native - decides which entry of an `archMap` counts, and what errno names mean
 * @throws {PolicyError} with its place
 */
export function readProfile(root: JsonNode, native: ArchName, fields: Fields): Profile {
  return new Reader(native, fields).profile(root);
}

interface NamedArch {
  readonly arch: ArchName | undefined;
  readonly name: string;
  readonly node: JsonNode;
}

class Reader {
  readonly #native: ArchName;
  readonly #fields: Fields;

  constructor(native: ArchName, fields: Fields) {
    this.#native = native;
    this.#fields = fields;
  }

  profile(root: JsonNode): Profile {
    const top = this.#fields.object(root, 'a profile', TOP_KEYS);
    const node = top.get('defaultAction');
    if (!node) this.#fields.refuse('missing_key', 'the key "defaultAction" is missing', root);
    this.#noteInstaller(top);
    const defaultAction = this.#action(node, top.get('defaultErrnoRet'), top.get('defaultErrno'), 'default');
    if (defaultAction.kind === 'notify') this.#fields.note('runc refuses SCMP_ACT_NOTIFY as default action', node);
    return {
      defaultAction,
      architectures: this.#architectures(top.get('architectures'), top.get('archMap')),
      entries: this.#fields.list(top.get('syscalls'), 'syscalls').map((entry) => this.#entry(entry)),
    };
  }

  #noteInstaller(top: ReadonlyMap<string, JsonNode>): void {
    for (const key of ['flags', 'listenerPath', 'listenerMetadata']) {
      const node = top.get(key);
      if (!node || (node.kind === 'array' && node.items.length === 0)) continue;
      this.#fields.note(`"${key}" is for who installs the filter: no part of a policy`, node);
    }
  }

  #action(node: JsonNode, number: JsonNode | undefined, name: JsonNode | undefined, owner: 'default' | 'rule'): Action {
    const kind = this.#fields.named(node, 'action', ACTIONS);
    if (kind === 'errno') {
      const errno = this.#errno(number, name, MAX_ERRNO) ?? EPERM;
      return errno === 0 ? { kind: 'return_zero' } : { kind, errno };
    }
    // Its data is what the tracer reads; runtimes put the errno there, EPERM too where there is none.
    if (kind === 'trace') return { kind, data: this.#errno(number, name, MAX_DATA) ?? EPERM };
    const extra = number ?? this.#given(name);
    if (extra) {
      const key = `${owner === 'default' ? 'defaultE' : 'e'}rrno${extra === number ? 'Ret' : ''}`;
      this.#fields.refuse(
        'errno_action',
        `"${key}" goes with SCMP_ACT_ERRNO and SCMP_ACT_TRACE only: leave it out`,
        extra,
      );
    }
    return kind === 'trap' ? { kind, data: 0 } : { kind };
  }

  /** Empty text stands for nothing. */
  #given(name: JsonNode | undefined): JsonNode | undefined {
    return name?.kind === 'string' && name.value === '' ? undefined : name;
  }

  /** containers-common's name goes before the number that stands beside it for older readers. */
  #errno(number: JsonNode | undefined, name: JsonNode | undefined, largest: bigint): number | undefined {
    const byNumber = number && Number(this.#fields.integer(number, 'an errno', largest));
    const node = this.#given(name);
    if (!node) return byNumber;
    const text = this.#fields.text(node, 'an errno');
    const byName = errnoNumber(this.#native, text);
    if (byName === undefined) {
      const near = didYouMean(text, errnoNames(this.#native));
      this.#fields.refuse('unknown_errno', `${quote(text)} is no errno of ${this.#native}${near}`, node);
    }
    if (byNumber !== undefined && byNumber !== byName)
      this.#fields.note(
        `${text} is ${byName} on ${this.#native}, the number beside it ${byNumber}: the name counts`,
        node,
      );
    return byName;
  }

  #architectures(list: JsonNode | undefined, map: JsonNode | undefined): readonly (ArchName | undefined)[] {
    const names = this.#fields.list(list, 'architectures').map((node) => this.#arch(node));
    const entries = this.#fields.list(map, 'archMap').map((entry) => this.#archEntry(entry));
    if (names.length > 0 && entries.length > 0)
      this.#fields.refuse('bad_value', '"architectures" and "archMap" exclude each other: keep one', map as JsonNode);
    const chosen = entries.length === 0 ? names : (entries.find(([main]) => main?.arch === this.#native) ?? []);
    for (const { arch, name, node } of chosen)
      if (arch === undefined)
        this.#fields.note(`Selkie has no numbers of ${name}: its calls get kill_thread here`, node);
    return chosen.map(({ arch }) => arch);
  }

  /** An ABI and its sub-architectures. */
  #archEntry(node: JsonNode): readonly NamedArch[] {
    const entry = this.#fields.object(node, 'an entry of archMap', ['architecture', 'subArchitectures']);
    const main = this.#required(entry, 'architecture', node);
    const others = this.#fields.list(entry.get('subArchitectures'), 'subArchitectures');
    return [main, ...others].map((each) => this.#arch(each));
  }

  #arch(node: JsonNode): NamedArch {
    const name = this.#fields.text(node, 'an architecture');
    if (name === 'SCMP_ARCH_NATIVE') return { arch: this.#native, name, node };
    return { arch: this.#fields.named(node, 'architecture', ARCHITECTURES), name, node };
  }

  #required(object: ReadonlyMap<string, JsonNode>, key: string, owner: JsonNode): JsonNode {
    return object.get(key) ?? this.#fields.refuse('missing_key', `the key "${key}" is missing`, owner);
  }

  #entry(node: JsonNode): Entry {
    const entry = this.#fields.object(node, 'a rule', ENTRY_KEYS);
    const action = this.#required(entry, 'action', node);
    const comment = entry.get('comment');
    return {
      names: this.#names(entry, node),
      action: this.#action(action, entry.get('errnoRet'), entry.get('errno'), 'rule'),
      args: this.#fields.list(entry.get('args'), 'args').map((each) => this.#comparison(each)),
      includes: this.#filter(entry.get('includes'), node),
      excludes: this.#filter(entry.get('excludes'), node),
      comment: comment && this.#fields.text(comment, 'comment'),
    };
  }

  #names(entry: ReadonlyMap<string, JsonNode>, owner: JsonNode): Entry['names'] {
    const name = entry.get('name');
    const names = this.#fields.list(entry.get('names'), 'names');
    if (name && names.length > 0)
      this.#fields.refuse('bad_value', '"name" and "names" exclude each other: keep one', name);
    const all = (name ? [name] : names).map((each) => ({
      name: this.#fields.text(each, 'a name'),
      offset: each.offset,
    }));
    const empty = all.find((each) => each.name === '');
    if (empty) this.#fields.refuse('bad_value', 'this name is empty', empty);
    if (all.length === 0) this.#fields.refuse('missing_key', 'a rule needs "names", with one call at least', owner);
    return all;
  }

  #comparison(node: JsonNode): Comparison {
    const arg = this.#fields.object(node, 'a comparison', ['index', 'value', 'valueTwo', 'op']);
    const value = this.#fields.integer(this.#required(arg, 'value', node), 'value', U64_MAX);
    const second = arg.get('valueTwo');
    const valueTwo = second ? this.#fields.integer(second, 'valueTwo', U64_MAX) : 0n;
    const operator = this.#fields.named(this.#required(arg, 'op', node), 'operator', OPERATORS);
    if (operator !== 'masked' && valueTwo !== 0n && second)
      this.#fields.note('"valueTwo" is for SCMP_CMP_MASKED_EQ only: not read', second);
    const index = Number(this.#fields.integer(this.#required(arg, 'index', node), 'index', 5n));
    return { index, operator, value, valueTwo, offset: node.offset };
  }

  #filter(node: JsonNode | undefined, owner: JsonNode): Filter {
    const keys = ['caps', 'arches', 'minKernel'];
    const filter = node ? this.#fields.object(node, 'includes and excludes', keys) : new Map<string, JsonNode>();
    const minKernel = filter.get('minKernel');
    return {
      caps: this.#fields.texts(filter.get('caps'), 'caps'),
      arches: this.#fields.texts(filter.get('arches'), 'arches'),
      minKernel: minKernel && (this.#fields.text(minKernel, 'minKernel') || undefined),
      offset: (node ?? owner).offset,
    };
  }
}
