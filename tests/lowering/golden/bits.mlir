module @jit_bits attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<8xf32>, %arg1: tensor<8xi32>) -> (tensor<8xf32> {jax.result_info = "result"}) {
    %0 = stablehlo.bitcast_convert %arg0 : (tensor<8xf32>) -> tensor<8xi32>
    %c = stablehlo.constant dense<23> : tensor<i32>
    %1 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<i32>) -> tensor<8xi32>
    %2 = stablehlo.shift_left %arg1, %1 : tensor<8xi32>
    %3 = stablehlo.add %0, %2 : tensor<8xi32>
    %4 = stablehlo.shift_right_arithmetic %3, %1 : tensor<8xi32>
    %5 = stablehlo.compare LT, %4, %arg1 : (tensor<8xi32>, tensor<8xi32>) -> tensor<8xi1>
    %6 = stablehlo.select %5, %3, %0 : tensor<8xi1>, tensor<8xi32>
    %7 = stablehlo.bitcast_convert %6 : (tensor<8xi32>) -> tensor<8xf32>
    return %7 : tensor<8xf32>
  }
}
