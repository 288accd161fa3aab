module @jit_conversions attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<8xf16>, %arg1: tensor<8xbf16>, %arg2: tensor<8xf64>) -> (tensor<8xf64> {jax.result_info = "result"}) {
    %0 = stablehlo.reduce_precision %arg0, format = e6m10 : tensor<8xf16>
    %1 = stablehlo.reduce_precision %arg1, format = e9m7 : tensor<8xbf16>
    %2 = stablehlo.reduce_precision %arg2, format = e12m52 : tensor<8xf64>
    %3 = stablehlo.convert %0 : (tensor<8xf16>) -> tensor<8xui32>
    %4 = stablehlo.convert %1 : (tensor<8xbf16>) -> tensor<8xi64>
    %5 = stablehlo.bitcast_convert %2 : (tensor<8xf64>) -> tensor<8xui64>
    %6 = stablehlo.convert %3 : (tensor<8xui32>) -> tensor<8xf64>
    %7 = stablehlo.convert %4 : (tensor<8xi64>) -> tensor<8xf64>
    %8 = stablehlo.convert %5 : (tensor<8xui64>) -> tensor<8xf64>
    %9 = stablehlo.compare EQ, %6, %7 : (tensor<8xf64>, tensor<8xf64>) -> tensor<8xi1>
    %c = stablehlo.constant dense<true> : tensor<i1>
    %10 = stablehlo.broadcast_in_dim %c, dims = [] : (tensor<i1>) -> tensor<8xi1>
    %11 = stablehlo.xor %9, %10 : tensor<8xi1>
    %12 = stablehlo.select %11, %7, %8 : tensor<8xi1>, tensor<8xf64>
    return %12 : tensor<8xf64>
  }
}
