module @jit_conversions attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<f16>, %arg1: tensor<bf16>, %arg2: tensor<f64>) -> (tensor<f64> {jax.result_info = "result"}) {
    %0 = stablehlo.reduce_precision %arg0, format = e6m10 : tensor<f16>
    %1 = stablehlo.reduce_precision %arg1, format = e9m7 : tensor<bf16>
    %2 = stablehlo.reduce_precision %arg2, format = e12m52 : tensor<f64>
    %3 = stablehlo.convert %0 : (tensor<f16>) -> tensor<ui32>
    %4 = stablehlo.convert %1 : (tensor<bf16>) -> tensor<i64>
    %5 = stablehlo.bitcast_convert %2 : (tensor<f64>) -> tensor<ui64>
    %6 = stablehlo.convert %3 : (tensor<ui32>) -> tensor<f64>
    %7 = stablehlo.convert %4 : (tensor<i64>) -> tensor<f64>
    %8 = stablehlo.convert %5 : (tensor<ui64>) -> tensor<f64>
    %9 = stablehlo.compare EQ, %6, %7 : (tensor<f64>, tensor<f64>) -> tensor<i1>
    %c = stablehlo.constant dense<true> : tensor<i1>
    %10 = stablehlo.xor %9, %c : tensor<i1>
    %11 = stablehlo.select %10, %7, %8 : tensor<i1>, tensor<f64>
    return %11 : tensor<f64>
  }
}
