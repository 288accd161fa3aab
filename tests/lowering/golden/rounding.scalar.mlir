module @jit_rounding attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<f64>, %arg1: tensor<f64>) -> (tensor<f64> {jax.result_info = "result"}) {
    %0 = stablehlo.round_nearest_even %arg0 : tensor<f64>
    %1 = stablehlo.floor %arg1 : tensor<f64>
    %2 = stablehlo.sqrt %0 : tensor<f64>
    %3 = stablehlo.rsqrt %1 : tensor<f64>
    %cst = stablehlo.constant dense<-1.000000e+00> : tensor<f64>
    %4 = stablehlo.clamp %cst, %2, %3 : tensor<f64>
    %5 = stablehlo.abs %4 : tensor<f64>
    %6 = stablehlo.divide %5, %arg0 : tensor<f64>
    return %6 : tensor<f64>
  }
}
