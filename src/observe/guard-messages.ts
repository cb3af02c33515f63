import { GUARD_LISTENER, GUARD_REFUSED, GUARD_SIGNAL, GUARD_STATUS, GUARD_TRACEE } from '../elf/stubs/guard-state.ts';
import { receiveMessage } from '../kernel/spawn.ts';
import type { ReceiveMessage } from './protocol.ts';

/** What the guard says over its socket, and how its processes are known. */

/** The name of its file in memory. */
export const GUARD_NAME = 'selkie-guard';

/** Whether a process with this executable is the guard's own, before the command is executed. */
export const isGuard = (exe: string | undefined): boolean => exe?.startsWith(`/memfd:${GUARD_NAME}`) === true;

export type GuardMessage =
  | Extract<ReceiveMessage<never, never>, { readonly kind: 'tracee' | 'refused' | 'status' | 'signal' }>
  | { readonly kind: 'listener'; readonly fd: number; readonly pid: number }
  | { readonly kind: 'closed' };

/** Receives one message without waiting; undefined where none waits. */
export function hearGuard(socket: number): GuardMessage | undefined {
  const message = receiveMessage(socket);
  if (message === undefined) return undefined;
  if (message.bytes.length === 0) return { kind: 'closed' };
  const view = new DataView(message.bytes.buffer);
  const [kind = 0, a = 0, b = 0, c = 0] = [0, 4, 8, 12].map((offset) => view.getInt32(offset, true));
  if (kind === GUARD_LISTENER && message.fd !== undefined) return { kind: 'listener', fd: message.fd, pid: a };
  if (kind === GUARD_TRACEE) return { kind: 'tracee', pid: a };
  if (kind === GUARD_REFUSED) return { kind: 'refused', errno: a };
  if (kind === GUARD_STATUS) return { kind: 'status', pid: a, status: b, execErrno: c };
  return kind === GUARD_SIGNAL ? { kind: 'signal', signal: a, code: b, sender: c } : undefined;
}
