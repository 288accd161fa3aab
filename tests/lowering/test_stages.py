import jax
import jax.numpy as jnp
import pytest

from xla_evo_lowering import assembly
from xla_evo_lowering.ahead import lower_for
from xla_evo_lowering.artifacts import make_artifacts
from xla_evo_lowering.assembly import disassemble, disassembler
from xla_evo_lowering.backends import backend
from xla_evo_lowering.compile import compile_stages
from xla_evo_lowering.errors import BackendError, CompileError
from xla_evo_lowering.stages import STAGE_TABLE, collect, count_operations, plain_hlo, stage

SPEC = [jax.ShapeDtypeStruct((4096,), "float32")]
needs_disassembler = pytest.mark.skipif(
    disassembler() is None, reason="neither objdump nor llvm-objdump is installed"
)


def _function(x):
    return jnp.exp(x) * x + 1


def test_every_stage_of_the_cpu_is_there():
    row = backend("cpu")
    made = make_artifacts(row, lower_for(row, _function, SPEC))
    names = [item.name for item in STAGE_TABLE["cpu"]]
    absent = [] if disassembler() else ["asm"]
    assert list(made.texts) == [name for name in names if name not in absent]
    assert list(made.missing) == absent
    assert b"stablehlo.exponential" in made.texts["stablehlo"]
    assert b"exponential(" in made.texts["optimized"]
    assert b"define" in made.texts["llvm"]
    assert (
        b"<8 x float>" in made.texts["llvm_optimized"]
        or b"x float>" in made.texts["llvm_optimized"]
    )
    assert made.texts["object"][:4] == b"\x7fELF"


def test_a_compilation_without_llvm_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    first = compile_stages(_function, SPEC)
    second = compile_stages(_function, SPEC, llvm=True)
    assert first.code_hash == second.code_hash
    assert "llvm" not in first.texts
    assert list(tmp_path.iterdir()) == []


def test_hlo_says_nothing_of_this_machine():
    texts = compile_stages(_function, SPEC).texts
    for name in ("hlo", "optimized"):
        assert b"FileNames" not in texts[name]
        assert b"metadata=" not in texts[name]
        assert __file__.encode() not in texts[name]


def test_source_locations_are_taken_out_and_nothing_else():
    tables = 'FileNames\n1 "a.py"\n\nStackFrames\n1 {x}\n\n'
    line = 'a = f32[] add(b, c), metadata={op_name="x" id=1}'
    text = f"HloModule m\n\n{tables}ENTRY e {{\n  {line}\n}}\n"
    assert plain_hlo(text) == "HloModule m\n\nENTRY e {\n  a = f32[] add(b, c)\n}\n"


@pytest.mark.parametrize(
    ("platform", "name", "text", "counts"),
    [
        ("cpu", "stablehlo", "%0 = stablehlo.add %a, %b\n%1 = stablehlo.add %0, %b", {"add": 2}),
        ("cpu", "hlo", "  %a.1 = f32[8]{0} add(x, y)\n  ROOT t = (f32[], s32[2]) tuple(a, b)\n",
         {"add": 1, "tuple": 1}),
        ("cpu", "llvm", "define void @f() {\nentry:\n  %1 = fmul float %a, %b\n  ret void\n}\n",
         {"fmul": 1, "ret": 1}),
        ("cpu", "asm", "   0:\tvmulps %ymm0,%ymm1,%ymm2\n   4:\tnopw 0x0(%rax)\n   9:\tret\n",
         {"ret": 1, "vmulps": 1}),
        ("cuda", "ptx", "\t.reg .b32 \t%r<3>;\n\tfma.rn.f32 \t%r1, %r2, %r3, %r4;\n\tret;\n",
         {"fma.rn.f32": 1, "ret": 1}),
        ("cuda", "sass", "        /*0010*/                   FFMA R1, R2, R3, R4 ;\n", {"FFMA": 1}),
        ("cpu", "object", "\x7fELF", {}),
    ],
)  # fmt: skip
def test_operations_are_counted(platform, name, text, counts):
    assert count_operations(platform, name, text.encode()) == counts


def test_a_stage_of_another_platform_is_told():
    with pytest.raises(BackendError, match="a cpu compilation has no stage 'ptx'; it has"):
        stage("cpu", "ptx")


def test_files_of_one_stage_are_joined_in_order(tmp_path):
    for number in (2, 1):
        (tmp_path / f"m.{number}.ptx").write_text(str(number))
    assert collect(tmp_path, "cuda") == {"ptx": b"12"}


def test_bundles_are_not_joined_with_their_analysis(tmp_path):
    (tmp_path / "1-fusion-69-final_bundles.txt").write_text("bundles")
    (tmp_path / "1-fusion-70-schedule-analysis_final_bundles.txt").write_text("analysis")
    assert collect(tmp_path, "tpu") == {"llo": b"bundles", "schedule": b"analysis"}


@pytest.mark.parametrize("function", [lambda x: x, lambda x: jnp.sum(x[:0])])
def test_a_function_without_machine_code_has_the_other_stages(function):
    row = backend("cpu")
    made = make_artifacts(row, lower_for(row, function, SPEC))
    assert list(made.texts) == ["stablehlo", "hlo", "optimized"]
    assert list(made.missing) == ["llvm", "llvm_optimized", "object", "asm"]
    assert all("no machine code" in reason for reason in made.missing.values())


@needs_disassembler
def test_assembly_shows_the_vector_loop():
    listing = disassemble(compile_stages(_function, SPEC).objects)
    assert "vfmadd" in listing or "mulps" in listing
    assert "/tmp" not in listing


@needs_disassembler
def test_garbage_is_not_object_code():
    with pytest.raises(BackendError, match="could not read the object code"):
        disassemble([b"garbage"])


def test_a_missing_disassembler_is_one_line_and_the_rest_goes_on(monkeypatch):
    monkeypatch.setattr(assembly, "disassembler", lambda: None)
    row = backend("cpu")
    made = make_artifacts(row, lower_for(row, _function, SPEC))
    assert "install binutils" in made.missing["asm"]
    assert "object" in made.texts


def test_what_cannot_be_lowered_is_told():
    with pytest.raises(CompileError, match="lowering for cpu failed: "):
        lower_for(backend("cpu"), lambda x: x @ jnp.ones((3, 3)), SPEC)
