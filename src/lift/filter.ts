import { encodeProgram } from '../bpf/codec.ts';
import { compilePolicy } from '../compile/compile-policy.ts';
import { policy } from '../policy/builder.ts';

/** The filter that notifies installations of filters and nothing else, encoded; it answers the probe call. */
export function installationFilter(): Uint8Array {
  const notifying = policy({ default: 'allow', arches: ['x86_64', 'i386', 'x32'] })
    .notify('seccomp', 'operation == SECCOMP_SET_MODE_FILTER')
    .notify('prctl', 'option == PR_SET_SECCOMP && arg1 == SECCOMP_MODE_FILTER')
    .build();
  return encodeProgram(compilePolicy(notifying, { probe: true }).program);
}
