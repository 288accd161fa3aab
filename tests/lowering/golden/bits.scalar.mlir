module @jit_bits attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<f32>, %arg1: tensor<i32>) -> (tensor<f32> {jax.result_info = "result"}) {
    %0 = stablehlo.bitcast_convert %arg0 : (tensor<f32>) -> tensor<i32>
    %c = stablehlo.constant dense<23> : tensor<i32>
    %1 = stablehlo.shift_left %arg1, %c : tensor<i32>
    %2 = stablehlo.add %0, %1 : tensor<i32>
    %3 = stablehlo.shift_right_arithmetic %2, %c : tensor<i32>
    %4 = stablehlo.compare LT, %3, %arg1 : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %5 = stablehlo.select %4, %2, %0 : tensor<i1>, tensor<i32>
    %6 = stablehlo.bitcast_convert %5 : (tensor<i32>) -> tensor<f32>
    return %6 : tensor<f32>
  }
}
