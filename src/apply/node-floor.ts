import { NATIVE_ARCH } from '../kernel/native.ts';
import { parseCondition } from '../policy/condition.ts';
import type { Action, Call, Policy, Rule } from '../policy/model.ts';
import { NARROWING_CONDITION } from '../policy/service.ts';
import { setMembers } from '../policy/sets.ts';

/** What `confine` adds to a policy so that Node itself goes on working under it. */

const ALLOW: Action = { kind: 'allow' };
const EPERM: Action = { kind: 'errno', errno: 'EPERM' };
const ENOSYS: Action = { kind: 'errno', errno: 'ENOSYS' };
const EINVAL: Action = { kind: 'errno', errno: 'EINVAL' };

/**
 * Node starts threads by clone, which also makes processes and namespaces. These are the flags that glibc gives for a thread
 * (nptl/pthread_create.c), with musl's CLONE_DETACHED; a call with any other, or without CLONE_THREAD, is refused.
 */
const NO_THREAD: string =
  'not ((flags & CLONE_THREAD) == CLONE_THREAD && flags within [CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SYSVSEM, CLONE_SIGHAND, CLONE_THREAD, CLONE_SETTLS, CLONE_PARENT_SETTID, CLONE_CHILD_CLEARTID, 0x400000])';

/**
 * At the end of the process koffi, through which Selkie reaches the kernel, brings its output streams to disk, and waits for ever after an
 * answer like EPERM. EINVAL is what the kernel says where they are pipes or terminals.
 */
const STREAMS_OF_KOFFI = 'fd == 1 || fd == 2';

/**
 * Adds `@node`, ENOSYS for `@fallback`, threads only from clone, and the call by which a second `confine` narrows (`service:` gets `@node` too). What the policy
 * itself says of clone, seccomp or a set stays as it is. A policy for several ABIs gets it for that of Node alone.
 */
export function withNodeFloor(policy: Policy): Policy {
  const added: Rule[] = [];
  const sets: readonly (readonly [string, Action])[] = [
    ['node', ALLOW],
    ['fallback', ENOSYS],
  ];
  const own = policy.syscalls.filter(({ only }) => only === undefined || only === NATIVE_ARCH);
  const mentions = (name: string): boolean => own.some(({ call }) => covers(call, policy, name));
  for (const [name, action] of sets) if (!own.some(isSet(name))) added.push(rule(action, 'set', name));
  if (!mentions('clone')) added.push(rule(EPERM, 'name', 'clone', NO_THREAD));
  if (!mentions('fsync')) added.push(rule(EINVAL, 'name', 'fsync', STREAMS_OF_KOFFI));
  // A policy with `service:` has that rule by itself, and ends with it.
  if (!mentions('seccomp') && !policy.service) added.push(rule(ALLOW, 'name', 'seccomp', NARROWING_CONDITION));
  const isShared = (policy.arches?.length ?? 1) > 1;
  const floor = isShared ? added.map((each) => ({ ...each, only: NATIVE_ARCH })) : added;
  const { service } = policy;
  const hasNode = service?.some(isSet('node')) ?? true;
  return {
    ...policy,
    syscalls: [...policy.syscalls, ...floor],
    ...(service && { service: hasNode ? service : [...service, rule(ALLOW, 'set', 'node')] }),
  };
}

function rule(action: Action, kind: 'name' | 'set', name: string, condition?: string): Rule {
  return { action, call: { kind, name }, ...(condition !== undefined && { condition: parseCondition(condition) }) };
}

const isSet =
  (name: string) =>
  ({ call }: Rule): boolean =>
    call.kind === 'set' && call.name === name;

/** Whether a rule names a call itself, or by a set that is no floor. */
function covers(call: Call, policy: Policy, name: string): boolean {
  if (call.kind !== 'set') return call.kind === 'name' && call.name === name;
  if (call.name === 'node') return false;
  return setMembers(policy.sets, call.name)?.some((member) => member.name === name) ?? false;
}
