import type { ArchName } from '../../src/facts/arches.ts';
import { syscallNumber } from '../../src/facts/syscalls.ts';
import { policy } from '../../src/policy/builder.ts';
import type { Policy } from '../../src/policy/model.ts';

// As much of the container engines' JSON profile as a test needs: no capabilities, one ABI, every argument its own rule (as runc reads them where
// an index repeats; here where there is more than one, it is "and").

interface Entry {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly { readonly index: number; readonly value: number; readonly op: string }[] | null;
  readonly includes?: { readonly arches?: readonly string[]; readonly caps?: readonly string[] };
  readonly excludes?: { readonly arches?: readonly string[]; readonly caps?: readonly string[] };
}

const OPERATORS: Readonly<Record<string, string>> = { SCMP_CMP_EQ: '==', SCMP_CMP_NE: '!=' };

export function containerProfile(text: string, arch: ArchName): Policy {
  const { syscalls, defaultErrnoRet } = JSON.parse(text) as { syscalls: readonly Entry[]; defaultErrnoRet?: number };
  // A call that is permitted stays so (seccomp_rule_add(3)).
  const open = new Set<string>();
  let built = policy({ default: `errno(${defaultErrnoRet ?? 1})`, arches: [arch] });
  for (const { names, action, errnoRet, args, includes } of syscalls) {
    if (includes?.caps !== undefined || (includes?.arches !== undefined && !includes.arches.includes('amd64')))
      continue;
    const condition = (args ?? []).map(({ index, op, value }) => `arg${index} ${OPERATORS[op]} ${value}`).join(' && ');
    for (const name of names.filter((each) => syscallNumber(arch, each) !== undefined)) {
      if (action === 'SCMP_ACT_ALLOW' && !condition) open.add(name);
      if (action === 'SCMP_ACT_ALLOW') built = built.allow(name, ...(condition ? [condition] : []));
      else if (!open.has(name)) built = built.errno(errnoRet ?? 1, name, ...(condition ? [condition] : []));
    }
  }
  return built.build();
}
