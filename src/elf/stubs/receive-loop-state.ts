/**
 * What the receive loops of both machines share. The loop for calls that are known already, as machine code: poll, receive, count, let through, again. It leaves
 * to its caller whatever it does not know. A function of the C ABI: `int loop(struct state *)`.
 *
 *     state + 0     struct pollfd[3]: listener, and two more that only end the loop
 *     state + 32    struct seccomp_notif (80 bytes)
 *     state + 160   struct seccomp_notif_resp
 *     state + 192   listener (u32)
 *     state + 200   address of the task table: 64 entries of u32 tid, u32 unused, u64 address of the task's counts
 *
 * Counts are u64 by number of the machine's own ABI, 0 for a number that is not known. A task's entry is that of its id's low six bits.
 */
export const LOOP_STATE = { poll: 0, notif: 32, response: 160, listener: 192, tasks: 200, size: 208 } as const;
export const LOOP_TASKS = 64;
export const LOOP_TASK_SIZE = 16;
export const LOOP_NUMBERS = 512;

/** Results: look at the poll set; a received call in `notif` is the caller's to answer; -errno of an ioctl that should not fail. */
export const LOOP_POLLED = 0;
export const LOOP_RECEIVED = 1;

/** Most calls that are served before the loop ends by itself, so that its caller can tell how far it is. */
export const LIMIT = 20_000;
export const NOTIF_WORDS = 10;
export const POLLIN = 1;
