import { didYouMean } from '../../base/nearest.ts';
import type { ArchName } from '../../facts/arches.ts';
import { compareReleases } from '../../facts/syscalls.ts';
import { quote } from '../../policy/source.ts';
import type { Fields } from './fields.ts';
import { ENGINE_ARCHES, OTHER_ENGINE_ARCHES } from './names.ts';
import type { Entry, Filter, Profile } from './profile.ts';

/** For what a profile is resolved: what Docker and podman know when they start a container. */
export interface ProfileOptions {
  /** Native ABI of the runtime. */
  readonly arch: ArchName;
  /** The container's capabilities (bounding set), such as `CAP_SYS_ADMIN`. */
  readonly caps: readonly string[];
  /** Release of the kernel, such as `6.1` or `6.1.0-18-amd64`. */
  readonly kernel: string;
}

const KNOWN_ARCHES: readonly string[] = [...Object.values(ENGINE_ARCHES).flat(), ...OTHER_ENGINE_ARCHES];

/**
 * The rules that are in force for the options: all of `includes` must hold (one of its arches, every one of its caps), nothing
 * of `excludes`. Source: moby/profiles seccomp, containers-common pkg/seccomp.
 *
 * @throws {PolicyError} `bad_kernel`
 */
export function selectEntries({ entries }: Profile, options: ProfileOptions, fields: Fields): readonly Entry[] {
  const selector = new Selector(options, fields);
  return entries.filter(({ includes, excludes }) => selector.includes(includes) && !selector.excludes(excludes));
}

/** Whether any rule depends on capabilities or on the kernel. */
export function dependsOn({ entries }: Profile): { readonly caps: boolean; readonly kernel: boolean } {
  const filters = entries.flatMap(({ includes, excludes }) => [includes, excludes]);
  return {
    caps: filters.some(({ caps }) => caps.length > 0),
    kernel: filters.some(({ minKernel }) => minKernel !== undefined),
  };
}

class Selector {
  readonly #options: ProfileOptions;
  readonly #fields: Fields;

  constructor(options: ProfileOptions, fields: Fields) {
    this.#options = options;
    this.#fields = fields;
  }

  includes(filter: Filter): boolean {
    const { caps, arches } = filter;
    if (arches.length > 0 && !this.#hasArch(filter)) return false;
    return caps.every((cap) => this.#options.caps.includes(cap)) && (this.#isNewEnough(filter) ?? true);
  }

  excludes(filter: Filter): boolean {
    return (
      this.#hasArch(filter) ||
      filter.caps.some((cap) => this.#options.caps.includes(cap)) ||
      (this.#isNewEnough(filter) ?? false)
    );
  }

  #hasArch(filter: Filter): boolean {
    for (const name of filter.arches)
      if (!KNOWN_ARCHES.includes(name)) {
        const near = didYouMean(name, KNOWN_ARCHES);
        this.#fields.note(
          `${quote(name)} is no architecture that container engines know${near || ': it matches nothing'}`,
          filter,
        );
      }
    return ENGINE_ARCHES[this.#options.arch].some((name) => filter.arches.includes(name));
  }

  /** `undefined` where no kernel is asked for. */
  #isNewEnough({ minKernel, offset }: Filter): boolean | undefined {
    if (minKernel === undefined) return undefined;
    const [wanted, running] = [releaseOf(minKernel), releaseOf(this.#options.kernel)];
    if (wanted === undefined || running === undefined)
      this.#fields.refuse('bad_kernel', `"minKernel" is ${quote(minKernel)}: wanted a release such as "4.8"`, {
        offset,
      });
    return compareReleases(running, wanted) >= 0;
  }
}

/** The numbers that a release begins with. */
export function releaseOf(text: string): string | undefined {
  return /^\d{1,4}\.\d{1,4}(?:\.\d{1,4})?/.exec(text)?.[0];
}
