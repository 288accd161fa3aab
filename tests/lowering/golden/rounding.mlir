module @jit_rounding attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<8xf64>, %arg1: tensor<8xf64>) -> (tensor<8xf64> {jax.result_info = "result"}) {
    %0 = stablehlo.round_nearest_even %arg0 : tensor<8xf64>
    %1 = stablehlo.floor %arg1 : tensor<8xf64>
    %2 = stablehlo.sqrt %0 : tensor<8xf64>
    %3 = stablehlo.rsqrt %1 : tensor<8xf64>
    %cst = stablehlo.constant dense<-1.000000e+00> : tensor<f64>
    %4 = stablehlo.broadcast_in_dim %cst, dims = [] : (tensor<f64>) -> tensor<8xf64>
    %5 = stablehlo.clamp %4, %2, %3 : tensor<8xf64>
    %6 = stablehlo.abs %5 : tensor<8xf64>
    %7 = stablehlo.divide %6, %arg0 : tensor<8xf64>
    return %7 : tensor<8xf64>
  }
}
