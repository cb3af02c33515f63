import { existsSync } from 'node:fs';
import type { Feature } from '../../kernel/features.ts';
import type { Place } from '../../kernel/place.ts';

/** Whether the ebpf backend of `record` can be used here, which no command needs. */

const BTF_FILE = '/sys/kernel/btf/vmlinux';
/** The release that brought what the programs need: atomic operations of 64 bits that return the old value. */
const SINCE = '5.12';

/** A verdict on what no command needs. */
export interface ExtraVerdict {
  readonly works: boolean;
  /** Why it does not, as far as can be known without trying. */
  readonly because: string | undefined;
  readonly todo: string | undefined;
  /** What is less than it could be though it works. */
  readonly note: string | undefined;
}

/**
 * Tries it, unless it is known not to work: a filter may kill for bpf(2), which a child of the prober was asked to call.
 *
 * @param trial - records a program; returns how that failed
 */
export async function judgeTracing(
  place: Place,
  features: readonly Feature[],
  trial: () => Promise<string | undefined>,
): Promise<ExtraVerdict> {
  const no = (because: string, todo: string): ExtraVerdict => ({ works: false, because, todo, note: undefined });
  const answer = (name: string) => features.find((feature) => feature.name === name);
  const bpf = answer('bpf as we are');
  if (bpf?.answer !== 'yes') {
    const { unprivilegedBpfDisabled: setting } = place;
    const disabled = setting === undefined || setting === 0 ? '' : ` (kernel.unprivileged_bpf_disabled=${setting})`;
    return answer('CAP_SYS_ADMIN')?.answer === 'yes'
      ? no(`something refuses bpf(2): ${bpf?.detail}`, 'permit it in the filter or the security module')
      : no(`bpf(2): ${bpf?.detail}${disabled}: no CAP_BPF and CAP_PERFMON`, 'record as root; notify needs no rights');
  }
  if (!existsSync(BTF_FILE))
    return no(`this kernel does not describe its types: no ${BTF_FILE}`, 'a kernel with CONFIG_DEBUG_INFO_BTF');
  const fault = await trial();
  if (fault !== undefined) return no(fault, `Linux ${SINCE} or newer, root or CAP_BPF and CAP_PERFMON`);
  const isBlind = answer('ptrace of a child')?.answer !== 'yes';
  const note = isBlind ? 'ptrace is refused: the start of dynamic programs counts as program' : undefined;
  return { works: true, because: undefined, todo: undefined, note };
}
