"""GPU target descriptions: what XLA needs to know of an NVIDIA GPU that is not in the machine.

The rows are the published numbers of one product of each architecture (NVIDIA's architecture white
papers and CUDA C++ Programming Guide, table of technical specifications by compute capability); the
text is XLA's ``GpuTargetConfigProto`` (xla/service/gpu/... , ``gpu_device_info``).
"""

from dataclasses import dataclass

from xla_evo_lowering.errors import BackendError


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuTarget:
    """One GPU.

    Attributes:
        product: the product whose numbers these are.
        major: compute capability before the dot.
        minor: compute capability after the dot.
        cores: streaming multiprocessors.
        fpus_per_core: float32 lanes of one multiprocessor.
        threads_per_core: resident threads of one multiprocessor.
        shared_per_core: bytes of shared memory of one multiprocessor.
        shared_per_block: bytes of shared memory a block may ask for.
        memory_bandwidth: bytes a second.
        memory_bytes: size of the memory.
        l2_bytes: size of the second-level cache.
        clock_ghz: boost clock.
    """

    product: str
    major: int
    minor: int
    cores: int
    fpus_per_core: int
    threads_per_core: int
    shared_per_core: int
    shared_per_block: int
    memory_bandwidth: int
    memory_bytes: int
    l2_bytes: int
    clock_ghz: float


GPU_TARGETS: dict[str, GpuTarget] = {
    "sm_80": GpuTarget(
        product="NVIDIA A100-SXM4-40GB", major=8, minor=0, cores=108, fpus_per_core=64,
        threads_per_core=2048, shared_per_core=167936, shared_per_block=166912,
        memory_bandwidth=1_555_000_000_000, memory_bytes=40 << 30, l2_bytes=40 << 20,
        clock_ghz=1.41,
    ),
    "sm_86": GpuTarget(
        product="NVIDIA A40", major=8, minor=6, cores=84, fpus_per_core=128,
        threads_per_core=1536, shared_per_core=102400, shared_per_block=101376,
        memory_bandwidth=696_000_000_000, memory_bytes=48 << 30, l2_bytes=6 << 20,
        clock_ghz=1.74,
    ),
    "sm_89": GpuTarget(
        product="NVIDIA L40", major=8, minor=9, cores=142, fpus_per_core=128,
        threads_per_core=1536, shared_per_core=102400, shared_per_block=101376,
        memory_bandwidth=864_000_000_000, memory_bytes=48 << 30, l2_bytes=96 << 20,
        clock_ghz=2.49,
    ),
    "sm_90": GpuTarget(
        product="NVIDIA H100 80GB HBM3", major=9, minor=0, cores=132, fpus_per_core=128,
        threads_per_core=2048, shared_per_core=233472, shared_per_block=232448,
        memory_bandwidth=3_352_000_000_000, memory_bytes=80 << 30, l2_bytes=50 << 20,
        clock_ghz=1.98,
    ),
    "sm_100": GpuTarget(
        product="NVIDIA B200", major=10, minor=0, cores=148, fpus_per_core=128,
        threads_per_core=2048, shared_per_core=233472, shared_per_block=232448,
        memory_bandwidth=8_000_000_000_000, memory_bytes=180 << 30, l2_bytes=126 << 20,
        clock_ghz=1.97,
    ),
}  # fmt: skip


def gpu_target(kind: str) -> GpuTarget:
    """Returns the row of an architecture.

    Raises:
        BackendError: there is none.
    """
    if kind not in GPU_TARGETS:
        raise BackendError(f"no GPU description for {kind!r}; there are {', '.join(GPU_TARGETS)}")
    return GPU_TARGETS[kind]


def target_config(kind: str) -> str:
    """Returns the ``GpuTargetConfigProto`` of an architecture as text."""
    row = gpu_target(kind)
    return f"""\
gpu_device_info {{
  threads_per_block_limit: 1024 threads_per_warp: 32
  shared_memory_per_block: 49152 shared_memory_per_core: {row.shared_per_core}
  shared_memory_per_block_optin: {row.shared_per_block}
  threads_per_core_limit: {row.threads_per_core} core_count: {row.cores}
  fpus_per_core: {row.fpus_per_core}
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: {row.memory_bandwidth} l2_cache_size: {row.l2_bytes}
  clock_rate_ghz: {row.clock_ghz} device_memory_size: {row.memory_bytes}
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
  cuda_compute_capability {{ major: {row.major} minor: {row.minor} }}
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 8 }}
runtime_version {{ major: 12 minor: 8 }}
device_description_str: "{row.product}"
"""
