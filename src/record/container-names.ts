import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cgroup, cgroupsBelow, processesIn } from '../kernel/cgroups.ts';
import { foldersLike, memberOf, readJson, readMember, textOf } from './engine-files.ts';

/** What engines call a container. */

/** A container that has a cgroup. */
export interface Container {
  /** Mostly 64 hexadecimal digits; whatever one likes where a runtime is used by itself. */
  readonly id: string;
  readonly cgroup: Cgroup;
  /** The folder of its configuration, where its runtime says. */
  readonly bundle?: string | undefined;
}

export function namesOf(container: Container): readonly string[] {
  const names = [dockerName(container), ...podmanNames(container), kubernetesName(container), hostName(container)];
  // Users and containers may have written them: nothing else gets to a terminal.
  return [...new Set(names.filter((name) => name !== undefined && /^[\w.-]+$/.test(name)))] as string[];
}

/** Docker's own record of a container, where its files are and where they are by default, root's and those of users. */
function dockerName({ id }: Container): string | undefined {
  const moved = textOf(readMember('/etc/docker/daemon.json', 'data-root'));
  const roots = [...(moved === undefined ? [] : [moved]), '/var/lib/docker', ...inHomes('.local/share/docker')];
  const names = roots.map((root) => textOf(readMember(join(root, 'containers', id, 'config.v2.json'), 'Name')));
  return names.find((name) => name !== undefined)?.replace(/^\//, '');
}

/** The lists of containers/storage, one for each of its drivers (overlay-containers, vfs-containers): root's, and those of users. */
function podmanNames({ id }: Container): readonly string[] {
  const storages = ['/var/lib/containers', ...inHomes('.local/share/containers')];
  return storages.flatMap((storage) =>
    foldersLike(`${storage}/storage/*`)
      .filter((folder) => folder.endsWith('-containers'))
      .flatMap((folder) => {
        const list = readJson(join(folder, 'containers.json'));
        const entry = Array.isArray(list) ? list.find((each) => memberOf(each, 'id') === id) : undefined;
        const names = memberOf(entry, 'names');
        return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
      }),
  );
}

function inHomes(path: string): readonly string[] {
  const homes = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':')[5] ?? '');
  return [...new Set(homes.filter((home) => home.startsWith('/')))].map((home) => join(home, path));
}

/** The annotations that containerd's CRI plugin, nerdctl and CRI-O put into the bundle's config.json. */
const NAME_ANNOTATIONS = ['io.kubernetes.cri.container-name', 'io.kubernetes.container.name', 'nerdctl/name'];

function kubernetesName({ id, bundle }: Container): string | undefined {
  const bundles = [
    ...(bundle === undefined ? [] : [bundle]),
    ...foldersLike('/run/containerd/io.containerd.runtime.v2.task/*').map((namespace) => join(namespace, id)),
    `/run/containers/storage/overlay-containers/${id}/userdata`,
  ];
  for (const folder of bundles) {
    const annotations = readMember(join(folder, 'config.json'), 'annotations');
    const name = NAME_ANNOTATIONS.map((annotation) => memberOf(annotations, annotation)).find((value) => value);
    if (typeof name === 'string') return name;
  }
  return undefined;
}

/** What engines tell the first process of its host name: the name itself is known inside only. */
function hostName({ cgroup }: Container): string | undefined {
  const pid = cgroupsBelow(cgroup).flatMap(processesIn)[0];
  return (pid === undefined ? undefined : environmentOf(pid))
    ?.split('\0')
    .find((line) => line.startsWith('HOSTNAME='))
    ?.slice('HOSTNAME='.length);
}

function environmentOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return undefined;
  }
}
