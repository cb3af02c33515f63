import { printPolicy } from '../../policy/print.ts';
import type { FormatInput, FormatOutput } from '../format.ts';

/** Selkie's own form: what was read from a profile, to review and to keep. */
export function write({ policy }: FormatInput): FormatOutput {
  return { files: [{ name: `${policy.name ?? 'policy'}.yaml`, text: printPolicy(policy) }], absent: [], notes: [] };
}
