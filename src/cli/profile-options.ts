import { UsageError } from '../base/errors.ts';
import { ARCH_NAMES } from '../facts/arches.ts';
import { type ProfileOptions, releaseOf } from '../formats/oci/select.ts';

/** What a seccomp profile is read for, as words of the command line. */
export interface ProfileWords {
  readonly caps?: string;
  readonly kernel?: string;
  readonly arch?: string;
}

/**
 * @throws {UsageError} `bad_usage`, `unknown_arch`
 */
export function profileOptions({ caps, kernel, arch: word }: ProfileWords): Partial<ProfileOptions> {
  const arch = ARCH_NAMES.find((known) => known === word);
  if (word !== undefined && arch === undefined)
    throw new UsageError('unknown_arch', `No ABI is called "${word}": one of ${ARCH_NAMES.join(', ')}`);
  if (kernel !== undefined && releaseOf(kernel) === undefined)
    throw new UsageError('bad_usage', `--kernel is "${kernel}": wanted a release such as 6.1`);
  return {
    ...(caps !== undefined && { caps: capabilities(caps) }),
    ...(kernel !== undefined && { kernel }),
    ...(arch && { arch }),
  };
}

/** `sys_admin,CAP_CHOWN` in the kernel's spelling; empty: none. */
function capabilities(list: string): readonly string[] {
  return list
    .split(',')
    .filter(Boolean)
    .map((word) => {
      const name = word
        .trim()
        .toUpperCase()
        .replace(/^(?:CAP_)?/, 'CAP_');
      if (/^CAP_[A-Z0-9_]+$/.test(name)) return name;
      throw new UsageError(
        'bad_usage',
        `--caps has "${word}": wanted names such as SYS_ADMIN, with commas between them`,
      );
    });
}

/** For policies of ours these options mean nothing. */
export function refuseProfileOptions(options: Partial<ProfileOptions>): void {
  const [name] = Object.keys(options);
  if (name) throw new UsageError('bad_usage', `--${name} is for seccomp profiles: this is a policy`);
}
