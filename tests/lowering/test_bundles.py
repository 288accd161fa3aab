"""The bundles of a schedule as steps of the function."""

import pytest

from xla_evo_lowering.bundles import explain_bundles, read_schedule
from xla_evo_lowering.cost_tpu import slot_of

# Two registers; a product and a sum on each; the last sum waits two bundles for its product.
LLO = """\
 243.00 scheduled bundles (100.00%): <no hlo>= control target key start
LB: loop body
= control target key end

     0   :  { %s0_s0 = sld [smem:[#allocation0]]  ;;  %v9_v9 = vlaneseq.u32 } /* Start region 0 */
   0x1   :  { %v181_v5 = vadd.s32 %v180_v4, %v178_v2 }
 24.00 scheduled bundles (100.00%): <no hlo>= control target key start
LB: loop body
= control target key end

     0   :  { %5 = vsyncadd [#allocation1], 42  ;;  %v10_v0 = vld [vmem:[#allocation0] sm:$0xff] }
   0x1   :  { %v11_v1 = vld [vmem:[#alloc0 + 8] sm:$0xff]  ;;  %v12_v2 = vmul.f32 2.0, %v10_v0 }
   0x2   :  { %v13_v3 = vmul.f32 2.0, %v11_v1 /* a product */ }
   0x3   :  {}
   0x4   :  { %v14_v4 = vadd.f32 %v12_v2, %v10_v0  ;;  %v15_v5 = vadd.f32 %v13_v3, %v11_v1 }
   0x5   :  { %20 = vst [vmem:[#alloc3]] /*vst_source=*/%v14_v4  ;;  %v16_v6 = vexp2.f32 %v15_v5 }
   0x6   :  { %21 = vst [vmem:[#allocation3 + $0x8] sm:$0xff] /*vst_source=*/%v16_v6 }
"""


def test_values_of_all_registers_are_the_same_steps():
    made = read_schedule(LLO)
    assert made.steps == [
        "vld x", "vmul.f32 2.0, #0", "vadd.f32 #1, #0", "vst #2", "vexp2.f32 #2", "vst #4",
    ]  # fmt: skip
    assert [(item.bundle, item.step, item.register) for item in made.placed] == [
        (0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1), (4, 2, 0), (4, 2, 1), (5, 3, 0), (5, 4, 1),
        (6, 5, 1),
    ]  # fmt: skip


def test_each_bundle_says_why_it_is_not_full():
    lines = explain_bundles(LLO).splitlines()
    assert lines[0] == (
        "7 bundles from the first load to the last result: 4 vector operations (at most 2 in a"
        " bundle) and 1 of the transcendental unit (at most 1) on 2 registers"
    )
    assert lines[1].startswith("2 bundles are full, 3 wait for a result, 2 are neither")
    body = [" ".join(line.split()) for line in lines if line.startswith("   0x")]
    assert body == [
        "0x0 0/2 0/1 0@0 1@0 waits for 0, vld here",
        "0x1 1/2 0/1 0@1 1@0 1@1 waits for 0, vld here",
        "0x2 1/2 0/1 1@1 2@0 waits for 1, vmul.f32 at 0x1",
        "0x3 0/2 0/1",
        "0x4 2/2 0/1 2@0 2@1",
        "0x5 0/2 1/1 3@0 4@1",
        "0x6 0/2 0/1 5@1",
    ]


def test_what_computes_nothing_is_said():
    assert explain_bundles("") == "no vector operations\n"


@pytest.mark.parametrize(
    ("name", "slot"),
    [("vexp2", "transcendental"), ("vpop", "transcendental"), ("vadd", "vector"), ("sm", "scalar")],
)
def test_operations_have_slots(name, slot):
    assert slot_of(name) == slot
