import pytest

from xla_evo_lowering import sass
from xla_evo_lowering.errors import BackendError
from xla_evo_lowering.sass import disassemble_ptx, find_tool
from xla_evo_lowering.stages import count_operations

PTX = """
.version 8.0
.target sm_90
.address_size 64
.visible .entry square(
.param .u64 out
)
{
.reg .f32 %f<2>;
.reg .b64 %r<2>;
ld.param.u64 %r1, [out];
ld.global.f32 %f1, [%r1];
mul.rn.f32 %f1, %f1, %f1;
st.global.f32 [%r1], %f1;
ret;
}
"""
needs_tools = pytest.mark.skipif(
    find_tool("ptxas") is None or find_tool("nvdisasm") is None,
    reason="ptxas or nvdisasm is not installed",
)


@needs_tools
def test_ptx_becomes_machine_instructions():
    counts = count_operations("cuda", "sass", disassemble_ptx(PTX + PTX).encode())
    assert counts["FMUL"] == 2
    assert "NOP" not in counts


@needs_tools
def test_ptx_that_does_not_assemble_is_told():
    with pytest.raises(BackendError, match="ptxas: "):
        disassemble_ptx(PTX.replace("mul.rn", "mul.sideways"))


def test_missing_tools_are_named(monkeypatch):
    monkeypatch.setattr(sass, "find_tool", lambda name: None)
    with pytest.raises(BackendError, match=r"pip install 'xla-evo\[cuda\]'"):
        disassemble_ptx(PTX)
