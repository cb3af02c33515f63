import { release } from 'node:os';
import { DOCKER_CAPS } from '../formats/oci/names.ts';
import { isProfile, type ProfileReading, readProfileText } from '../formats/oci/read.ts';
import type { ProfileOptions } from '../formats/oci/select.ts';
import { NATIVE_ARCH } from '../kernel/native.ts';

/**
 * The policy of a seccomp profile (OCI, Docker, containers-common); `undefined` for any other text. What is not chosen: this machine's
 * ABI and kernel, Docker's default capabilities.
 *
 * @throws {PolicyError}
 */
export function fromProfile(
  text: string,
  file: string,
  chosen: Partial<ProfileOptions> = {},
): ProfileReading | undefined {
  if (!isProfile(text)) return undefined;
  return readProfileText(text, { arch: NATIVE_ARCH, caps: DOCKER_CAPS, kernel: release(), ...chosen, file });
}
