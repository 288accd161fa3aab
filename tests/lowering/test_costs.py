import jax
import jax.numpy as jnp
import pytest

from xla_evo_lowering.assembly import disassembler
from xla_evo_lowering.backends import backend
from xla_evo_lowering.compile import SINGLE_THREAD, compile_stages
from xla_evo_lowering.cost_cpu import classify, cpu_cost
from xla_evo_lowering.cost_gpu import gpu_cost
from xla_evo_lowering.cost_tpu import count_bundles
from xla_evo_lowering.costs import static_cost
from xla_evo_lowering.dtypes import F32, F64
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.loops import Line, hot_loops

needs_disassembler = pytest.mark.skipif(
    disassembler() is None, reason="neither objdump nor llvm-objdump is installed"
)

LISTING = """
0000000000000000 <kernel>:
   0:\tmovabs $0x0,%rcx
   a:\tvbroadcastss (%rcx),%ymm0
  10:\tvmulps (%rax,%rdx,4),%ymm0,%ymm1
  16:\tvfmadd213ps %ymm0,%ymm1,%ymm1
  1c:\tvmovups %ymm1,0x40(%rsp)
  20:\tvmovups %ymm1,(%rcx,%rdx,4)
  26:\tadd    $0x8,%rdx
  2a:\tcmp    $0x400,%rdx
  31:\tjne    10 <kernel+0x10>
  33:\tvmovss (%rax,%rdx,4),%xmm1
  39:\tvmovss %xmm1,(%rcx,%rdx,4)
  3f:\tinc    %rdx
  42:\tjne    33 <kernel+0x33>
  44:\tret
"""


def test_the_vector_loop_is_found_and_spills_are_not_results():
    (loop,) = hot_loops(LISTING)
    assert loop.body[0].mnemonic == "vmulps"
    assert loop.body[-1].mnemonic == "jne"
    assert loop.stored_bytes == 32


@pytest.mark.parametrize(
    ("mnemonic", "name"),
    [
        ("vdivps", "division"), ("vsqrtps", "square root"), ("vfnmadd231ps", "fma"),
        ("vmulps", "multiply"), ("mulss", "multiply"), ("vaddps", "add"), ("vsubpd", "add"),
        ("vrndscaleps", "round"), ("vcvttps2dq", "convert"), ("vcmpltps", "min, max, compare"),
        ("vmaxps", "min, max, compare"), ("vpslld", "shift"), ("vpsrad", "shift"),
        ("vpaddd", "integer, logic, select"), ("vpternlogd", "integer, logic, select"),
        ("vblendvps", "integer, logic, select"), ("vmovups", None), ("add", None), ("jne", None),
    ],
)  # fmt: skip
def test_instructions_have_their_port_class(mnemonic, name):
    row = classify(Line(0, mnemonic, ""))
    assert (row.name if row else None) == name


@needs_disassembler
def test_more_arithmetic_costs_more_on_the_cpu():
    def polynomial(degree):
        def function(x):
            total = x
            for place in range(degree):
                total = total * x + jnp.float32(0.1 + place)
            return total

        return function

    costs = [static_cost(backend("cpu"), polynomial(degree), (F32,)) for degree in (2, 8, 16, 32)]
    values = [cost.value for cost in costs]
    assert values == sorted(values)
    assert values[3] > 3 * values[1]
    assert costs[3].detail.resource == "multiply"


@needs_disassembler
def test_division_and_float64_are_dearer():
    row = backend("cpu")
    one = static_cost(row, lambda x: 1 / x, (F32,)).value
    assert one > static_cost(row, lambda x: 1 + x, (F32,)).value
    assert static_cost(row, lambda x: 1 / x, (F64,)).value > one


@needs_disassembler
def test_costs_are_deterministic():
    spec = [jax.ShapeDtypeStruct((16384,), "float32")]
    first, second = (
        cpu_cost(compile_stages(jnp.tanh, spec, SINGLE_THREAD).objects, 4, mca=None)
        for _ in range(2)
    )
    assert first == second


@needs_disassembler
def test_code_without_a_loop_has_no_cost():
    stages = compile_stages(lambda x: x + 1, [jax.ShapeDtypeStruct((4,), "float32")])
    with pytest.raises(BackendError, match="no loop that stores vectors"):
        cpu_cost(stages.objects, 4)


def test_other_backends_need_a_process():
    with pytest.raises(BackendError, match="need a compiler process"):
        static_cost(backend("tpu:v5e"), jnp.exp, (F32,))


PTX = """
.visible .entry f(
\t.param .u64 a
)
{
\t.reg .b32 \t%r<9>;
\tld.param.b64 \t%rd1, [a];
\tld.global.nc.b32 \t%r5, [%rd6];
\tfma.rn.f32 \t%r6, %r5, 0f3BBB989D, 0f3F000000;
\tmul.rn.f32 \t%r7, %r6, %r6;
\tex2.approx.ftz.f32 \t%r16, %r7;
\tadd.s64 \t%rd7, %rd4, %rd5;
\tst.global.b32 \t[%rd7], %r16;
\tret;

}
"""


def test_ptx_is_counted_by_pipe():
    cost = gpu_cost(PTX, "sm_90", 4)
    assert cost.pipes == {
        "alu": 1, "control": 1, "fma": 2, "load/store": 2, "mufu": 1,
    }  # fmt: skip
    assert cost.pipe == "mufu" or cost.cycles >= 1 / 16
    assert cost.memory_ns == pytest.approx(8 / 3352)
    assert gpu_cost(PTX, "sm_80", 4).compute_ns > cost.compute_ns


def test_a_thread_of_four_elements_shares_its_overhead():
    wide = PTX.replace("st.global.b32", "st.global.v4.b32")
    assert gpu_cost(wide, "sm_90", 4).pipes["fma"] == 0.5


def test_the_longest_way_without_a_loop_counts():
    """A loop for huge arguments, a branch for zero, and what ordinary ones run."""
    branching = PTX.replace("\tmul.rn.f32 \t%r7, %r6, %r6;\n", """\
\t@%p1 bra \t$L__BB0_2;
$L__BB0_1:
\tmul.rn.f32 \t%r6, %r6, %r6;
\t@%p2 bra \t$L__BB0_1;
\tbra.uni \t$L__BB0_3;
$L__BB0_2:
\t@%p3 bra \t$L__BB0_4;
\tmul.rn.f32 \t%r7, %r6, %r6;
\tmul.rn.f32 \t%r7, %r7, %r6;
$L__BB0_3:
""").replace("\tret;\n", """\
\tret;
$L__BB0_4:
\tmov.b32 \t%r7, 0;
\tbra.uni \t$L__BB0_3;
""")  # fmt: skip
    assert gpu_cost(branching, "sm_90", 4).pipes == {
        "alu": 1, "control": 3, "fma": 3, "load/store": 2, "mufu": 1,
    }  # fmt: skip
    rounds = PTX.replace(
        "\tmul.rn.f32 \t%r7, %r6, %r6;\n",
        """\
$L__BB0_1:
\tmul.rn.f32 \t%r7, %r6, %r6;
\tadd.s32 \t%r8, %r8, 1;
\tsetp.ne.b32 \t%p4, %r8, 8;
\t@%p4 bra \t$L__BB0_1;
""",
    )
    assert gpu_cost(rounds, "sm_90", 4).pipes == {
        **gpu_cost(PTX, "sm_90", 4).pipes, "alu": 17, "control": 9, "fma": 9,
    }  # fmt: skip
    with pytest.raises(BackendError, match="no way to its end without a loop"):
        gpu_cost(rounds.replace("%r8, 1;", "%r8, 2;"), "sm_90", 4)
    endless = PTX.replace("\tret;", "$L__BB0_1:\n\tbra.uni \t$L__BB0_1;")
    with pytest.raises(BackendError, match="no way to its end without a loop"):
        gpu_cost(endless, "sm_90", 4)


def test_ptx_that_stores_nothing_has_no_cost():
    with pytest.raises(BackendError, match="no kernel that stores"):
        gpu_cost("", "sm_90", 4)


def test_bundles_are_counted_by_slot():
    llo = """
   0x4   :  { %788 = dma.done.wait [#allocation1], 8192 /* wait */ }
   0x5   :  { %v15_v0 = vld [vmem:[#a] sm:$0xff]  ;;  %v18_v3 = vmul.f32 1.442695, %v15_v0 }
   0x6   :  { %604 = vpow2.f32 %v18_v3  ;;  %v605_v23 = vpop.eup %604 }
   0x7 LB:  { %21 = vst [vmem:[#b] sm:$0xff] /*vst_source=*/%v605_v23  ;;  %5 = sbr.rel (%p0) }
"""
    bundles, slots = count_bundles(llo)
    assert bundles == 4
    assert slots == {
        "scalar": 2, "load": 1, "vector": 1, "transcendental": 2, "store": 1,
    }  # fmt: skip
