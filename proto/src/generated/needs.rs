// Written by `cargo xtask codegen` from proto/dbgctl/v1/*.proto.

/// The needs of every RPC, by path.
pub const NEEDS: &[Needs] = &[
    Needs {
        path: "/dbgctl.v1.AccessService/ExplainAccess",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to reach the target's files",
                optional: false,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to see what lies in directories that the agent may not enter",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.AgentService/Handshake",
        effect: Effect::Observes,
        capabilities: &[],
    },
    Needs {
        path: "/dbgctl.v1.AgentService/Keep",
        effect: Effect::Observes,
        capabilities: &[],
    },
    Needs {
        path: "/dbgctl.v1.CaptureService/CapturePackets",
        effect: Effect::Captures,
        capabilities: &[
            Capability {
                name: "CAP_NET_RAW",
                reason: "to receive what others send and receive",
                optional: false,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.DnsService/LookUpName",
        effect: Effect::SendsTraffic,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to read the target's own nsswitch.conf and to tell which resolver its program has",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.DnsService/LookUpNameInEnvironment",
        effect: Effect::SendsTraffic,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to read the target's own nsswitch.conf and to tell which resolver its program has",
                optional: false,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to read the environment of the target's program, which may be another user's",
                optional: false,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.ConnectService/Connect",
        effect: Effect::SendsTraffic,
        capabilities: &[],
    },
    Needs {
        path: "/dbgctl.v1.ContentService/ReadFile",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to reach the target's files",
                optional: false,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to read what only its owner may read",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.CopyService/CopyOut",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to reach the target's files",
                optional: false,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to read what only its owner may read",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.ProcessService/ListProcesses",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to name users from the target's own passwd and to read wait channels",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.CpuService/ListCpu",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to read the target's own cgroup files: quota, throttling, pressure",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.DescriptorService/ListDescriptors",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to look at the open files of processes",
                optional: false,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to list the open files of processes of other users",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.DirectoryService/ListDirectory",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to reach the target's files",
                optional: false,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to list what only its owner may list",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.EnvironmentService/ListEnvironments",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to look into processes",
                optional: false,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to read the environment of processes of other users",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.FileStatusService/GetFileStatus",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to reach the target's files",
                optional: false,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to look into directories that only their owner may enter",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.ForwardService/Forward",
        effect: Effect::SendsTraffic,
        capabilities: &[],
    },
    Needs {
        path: "/dbgctl.v1.TlsService/Handshake",
        effect: Effect::SendsTraffic,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to judge certificates with the target's own trust store",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.HttpService/Exchange",
        effect: Effect::SendsTraffic,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to judge certificates with the target's own trust store",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.HttpService/ExchangePlain",
        effect: Effect::SendsTraffic,
        capabilities: &[],
    },
    Needs {
        path: "/dbgctl.v1.IoService/ListIo",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to read the I/O of processes and the target's own cgroup files",
                optional: true,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to read the I/O of processes of other users",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.LimitService/ListLimits",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to read the limits of the target's cgroup",
                optional: true,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to count open files before Linux 6.2",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.MemoryService/ListMemory",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to read smaps_rollup and the target's own cgroup files",
                optional: false,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.MemoryService/ListMappings",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to read smaps",
                optional: false,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.MountService/ListMounts",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to reach the target's files",
                optional: false,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to look into directories that only their owner may enter",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.NetworkService/ListNetwork",
        effect: Effect::Observes,
        capabilities: &[],
    },
    Needs {
        path: "/dbgctl.v1.NetworkService/GetRoute",
        effect: Effect::Observes,
        capabilities: &[],
    },
    Needs {
        path: "/dbgctl.v1.PidService/ListPids",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to read the target's own cgroup files: tasks and their limit",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.PingService/Ping",
        effect: Effect::SendsTraffic,
        capabilities: &[],
    },
    Needs {
        path: "/dbgctl.v1.SearchService/FindFiles",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to reach the target's files",
                optional: false,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to look into directories that only their owner may list",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.SocketService/ListSockets",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to tell which process holds a socket",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.StackService/ListStacks",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to read where threads wait in the kernel",
                optional: false,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to read the system calls of threads of other users",
                optional: true,
            },
        ],
    },
    Needs {
        path: "/dbgctl.v1.TraceService/Trace",
        effect: Effect::SendsTraffic,
        capabilities: &[],
    },
    Needs {
        path: "/dbgctl.v1.UsageService/MeasureUsage",
        effect: Effect::Observes,
        capabilities: &[
            Capability {
                name: "CAP_SYS_PTRACE",
                reason: "to reach the target's files",
                optional: false,
            },
            Capability {
                name: "CAP_DAC_READ_SEARCH",
                reason: "to look into directories that only their owner may list",
                optional: true,
            },
        ],
    },
];
