"""core: the directives of the main context that shape the processes."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass
from typing import Any

from gateway.config.conf import UNSET, Conf, setting
from gateway.config.directive import (
    FLAG,
    MAIN,
    Command,
    Directive,
    at_least,
    file_name,
    flag,
    number,
    offset,
    take,
    time_s,
)
from gateway.config.errors import ConfigError
from gateway.config.module import CoreModule
from gateway.config.text import for_system
from gateway.config.units import parse_number

# nginx's build default (NGX_USER) for a master that is root and has no `user`.
DEFAULT_USER = "nobody"

# glibc's CPU_SETSIZE
_MAX_CPUS = 1024


@dataclass(slots=True)
class CoreConf(Conf):
    daemon: bool = setting(True)
    master_process: bool = setting(True)
    pid: str | None = setting(None)
    worker_processes: int = setting(1)
    username: str = setting("")
    user: int | None = setting(None)
    group: int | None = setting(None)
    env: list[str] = setting(factory=list)
    worker_rlimit_nofile: int | None = setting(None)
    worker_rlimit_core: int | None = setting(None)
    worker_priority: int = setting(0)
    worker_shutdown_timeout: float = setting(0.0)
    working_directory: str | None = setting(None)
    cpu_masks: tuple[set[int], ...] = setting(())
    cpu_auto: bool = setting(False)
    ssl_object_cache_inheritable: bool = setting(True)
    transparent: bool = False  # a `*_bind … transparent` stands somewhere: workers keep CAP_NET_RAW

    def cpu_affinity(self, worker: int) -> set[int] | None:
        """The processors of a worker; None leaves it to the system."""
        masks = self.cpu_masks
        if not masks:
            return None
        if self.cpu_auto:
            allowed = sorted(masks[-1])
            return {allowed[worker % len(allowed)]} if allowed else None
        mask: set[int] = masks[worker] if worker < len(masks) else masks[-1]
        return mask


def set_worker_processes(conf: CoreConf, command: Command) -> None:
    command.once(conf.worker_processes)
    text = command.args[0]
    if text == "auto":
        conf.worker_processes = os.cpu_count() or 1
        return
    try:
        conf.worker_processes = parse_number(text)
    except ValueError:
        command.refuse("invalid value")


def set_user(conf: CoreConf, command: Command) -> None:
    command.once(conf.user)
    if os.geteuid() != 0:
        command.warn(
            'the "user" directive makes sense only if the master process runs with super-user privileges, ignored'
        )
        return
    name = for_system(command.args[0])
    group = for_system(command.args[-1])
    conf.username = name
    try:
        conf.user = pwd.getpwnam(name).pw_uid
    except KeyError:
        command.fail(f'getpwnam("{name}") failed')
    try:
        conf.group = grp.getgrnam(group).gr_gid
    except KeyError:
        command.fail(f'getgrnam("{group}") failed')


def set_env(conf: CoreConf, command: Command) -> None:
    if conf.env is UNSET:
        conf.env = []
    conf.env.append(for_system(command.args[0]))


def set_object_cache_inheritable(conf: CoreConf, command: Command) -> None:
    flag("ssl_object_cache_inheritable")(conf, command)
    from gateway.core.tls_objects import objects_of

    objects_of(command.loader).inheritable = conf.ssl_object_cache_inheritable


def set_priority(conf: CoreConf, command: Command) -> None:
    if conf.worker_priority is not UNSET and conf.worker_priority != 0:
        command.duplicate()
    text = command.args[0]
    digits = text[1:] if text[:1] in ("-", "+") else text
    try:
        value = parse_number(digits)
    except ValueError:
        command.refuse("invalid number")
    conf.worker_priority = -value if text[0] == "-" else value


def set_cpu_affinity(conf: CoreConf, command: Command) -> None:
    command.once(conf.cpu_masks)
    words = list(command.args)
    masks: list[set[int]] = []
    if words[0] == "auto":
        if len(words) > 2:
            command.fail('invalid number of arguments in "worker_cpu_affinity" directive')
        conf.cpu_auto = True
        masks.append(set(range(os.cpu_count() or 1)))
        words.pop(0)
    for word in words:
        if len(word) > _MAX_CPUS:
            command.fail(f'"worker_cpu_affinity" supports up to {_MAX_CPUS} CPUs only')
        digits = word.replace(" ", "")[::-1]
        for character in digits:
            if character not in "01":
                command.fail(f'invalid character "{character}" in "worker_cpu_affinity"')
        masks.append({cpu for cpu, digit in enumerate(digits) if digit == "1"})
    conf.cpu_masks = tuple(masks)


def finish(conf: CoreConf, *, default_pid: str, path: Any, warn: Any) -> None:
    """Defaults and checks once all has been read (ngx_core_module_init_conf)."""
    conf.merge(None)
    masks = len(conf.cpu_masks)
    if not conf.cpu_auto and masks > 1 and masks != conf.worker_processes:
        warn(
            'the number of "worker_processes" is not equal to the number of "worker_cpu_affinity" masks, '
            "using last mask for remaining worker processes"
        )
    conf.pid = default_pid if conf.pid is None else path(conf.pid)
    if conf.user is None and os.geteuid() == 0:
        conf.username = DEFAULT_USER
        try:
            entry = pwd.getpwnam(DEFAULT_USER)
        except KeyError:
            raise ConfigError(f'getpwnam("{DEFAULT_USER}") failed') from None
        conf.user, conf.group = entry.pw_uid, entry.pw_gid


def _main(name: str, arguments: Any, setter: Any) -> Directive:
    return Directive(name, MAIN, arguments, setter, level="main")


module = CoreModule(
    name="core",
    main=CoreConf,
    directives=(
        _main("daemon", FLAG, flag("daemon")),
        _main("master_process", FLAG, flag("master_process")),
        _main("pid", take(1), file_name("pid")),
        _main("worker_processes", take(1), set_worker_processes),
        _main("user", take(1, 2), set_user),
        _main("env", take(1), set_env),
        _main("worker_rlimit_nofile", take(1), number("worker_rlimit_nofile")),
        _main("worker_rlimit_core", take(1), offset("worker_rlimit_core")),
        _main("worker_priority", take(1), set_priority),
        _main("worker_cpu_affinity", at_least(1), set_cpu_affinity),
        _main("worker_shutdown_timeout", take(1), time_s("worker_shutdown_timeout")),
        _main("working_directory", take(1), file_name("working_directory")),
        _main("ssl_object_cache_inheritable", FLAG, set_object_cache_inheritable),
    ),
)
