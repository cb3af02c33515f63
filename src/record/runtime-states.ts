import { basename } from 'node:path';
import { foldersLike, memberOf, readJson, textOf } from './engine-files.ts';

/** What the runtimes that engines start containers with write down of each: its cgroup, and where its configuration is. */
export interface RuntimeState {
  readonly id: string;
  /** As /proc/PID/cgroup writes it. */
  readonly cgroup: string;
  readonly bundle: string | undefined;
}

/** One folder a container: alone and under podman, under Docker, and under containerd, the last two by namespace. Those of users are not root's to believe. */
const FOLDERS = ['/run/runc/*', '/run/crun/*', '/run/docker/runtime-runc/*/*', '/run/containerd/runc/*/*'];

export function runtimeStates(): readonly RuntimeState[] {
  return FOLDERS.flatMap(foldersLike).flatMap((folder) => runcState(folder) ?? crunState(folder) ?? []);
}

/** Where runc sees cgroups of v2: alone, or beside those of v1. */
const MOUNT = /^\/sys\/fs\/cgroup(?:\/unified)?(?=\/)/;

/** @see runc, libcontainer/container_linux.go, type State: absolute paths by controller, that of v2 under no name */
function runcState(folder: string): RuntimeState | undefined {
  const state = readJson(`${folder}/state.json`);
  const cgroup = textOf(memberOf(memberOf(state, 'cgroup_paths'), ''))?.replace(MOUNT, '');
  const labels = memberOf(memberOf(state, 'config'), 'labels');
  const label = Array.isArray(labels) ? labels.map(textOf).find((each) => each?.startsWith('bundle=')) : undefined;
  return cgroup === undefined ? undefined : { id: basename(folder), cgroup, bundle: label?.slice('bundle='.length) };
}

/** @see crun, src/libcrun/status.c */
function crunState(folder: string): RuntimeState | undefined {
  const status = readJson(`${folder}/status`);
  const cgroup = textOf(memberOf(status, 'cgroup-path'));
  return cgroup ? { id: basename(folder), cgroup, bundle: textOf(memberOf(status, 'bundle')) } : undefined;
}
