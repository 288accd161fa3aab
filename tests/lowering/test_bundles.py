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
   0x1   :  { %v11_v1 = vld [vmem:[#allocation0 + $0x8]]  ;;  %v12_v2 = vmul.f32 2.0, %v10_v0 }
   0x2   :  { %v13_v3 = vmul.f32 2.0, %v11_v1 /* a product */ }
   0x3   :  {}
   0x4   :  { %v14_v4 = vadd.f32 %v12_v2, %v10_v0  ;;  %v15_v5 = vadd.f32 %v13_v3, %v11_v1 }
   0x5   :  { %20 = vst [vmem:[#alloc3]] /*vst_source=*/%v14_v4  ;;  %v16_v6 = vexp2.f32 %v15_v5 }
   0x6   :  { %21 = vst [vmem:[#allocation3 + $0x8] sm:$0xff] /*vst_source=*/%v16_v6 }
"""


# In a loop, of two inputs whose addresses are computed, with a constant and a mask.
LOOP = """\
= control target key start
     0   :  { %s1_s1 = scalar_lea.vmem [#allocation3], %s0_s0 }
   0x1 LB: > { %s2_s2 = scalar_lea.vmem [#allocation4], %s0_s0  ;;  %v1_v0 = vld [vmem:[%s1_s1] sm:$0xff] }
   0x2   : > { %v2_v1 = vld [vmem:[%s2_s2] sm:$0xff]  ;;  %v9_v9 = vmov 7.0 /* materialized constant */ }
   0x3   : >> { %v3_v2 = vld [vmem:[%s1_s1 + $0x8] sm:$0xff]  ;;  %v4_v3 = vld [vmem:[%s2_s2 + $0x8] sm:$0xff] }
   0x4   : > { %vm5_vm0 = vcmp.gt.f32.partialorder %v1_v0, %v2_v1  ;;  %vm6_vm1 = vcmp.lt.f32.partialorder %v1_v0, 0.0 }
   0x5   : > { %vm7_vm0 = vmor %vm5_vm0, %vm6_vm1  ;;  %v8_v4 = vadd.f32 %v3_v2, %v4_v3  ;;  %v10_v4 = vmul.f32 %v4_v3, %v4_v3 }
   0x6   : > { %v11_v5 = vsel /*vm=*/%vm7_vm0, /*on_true_vy=*/%v9_v9, /*on_false_vx=*/%v2_v1 }
   0x7 PF:  { %12 = vst [vmem:[#allocation5] sm:$0xff] /*vst_source=*/%v11_v5 }
"""  # noqa: E501


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


def test_loops_several_inputs_and_constants_are_read():
    made = read_schedule(LOOP)
    assert made.addresses == list(range(8))
    assert made.steps == [
        "vld allocation3", "vld allocation4", "vcmp.gt.f32.partialorder #0, #1",
        "vcmp.lt.f32.partialorder #0, 0.0", "vmor #2, #3", "vadd.f32 #0, #1", "vmul.f32 #1, #1",
        "vsel #4, 7.0, #1", "vst #7",
    ]  # fmt: skip
    assert [item.register for item in made.placed] == [0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0]


def test_a_mask_fills_no_vector_slot():
    lines = explain_bundles(LOOP).splitlines()
    assert "5 vector operations (at most 2 in a bundle) and 1 on masks on 2 registers" in lines[0]
    assert lines[1].startswith("2 bundles are full")


def test_what_computes_nothing_is_said():
    assert explain_bundles("") == "no vector operations\n"


@pytest.mark.parametrize(
    ("name", "slot"),
    [
        ("vexp2", "transcendental"), ("vpop", "transcendental"), ("vadd", "vector"),
        ("vmul", "vector"), ("vmax", "vector"), ("vmor", "mask"), ("sm", "scalar"),
    ],
)  # fmt: skip
def test_operations_have_slots(name, slot):
    assert slot_of(name) == slot
