module @jit_polynomial attributes {mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<f32>) -> (tensor<f32> {jax.result_info = "result"}) {
    %cst = stablehlo.constant dense<0.693147182> : tensor<f32>
    %cst_0 = stablehlo.constant dense<0x7FC00001> : tensor<f32>
    %0 = stablehlo.multiply %arg0, %cst : tensor<f32>
    %1 = stablehlo.reduce_precision %0, format = e9m23 : tensor<f32>
    %2 = stablehlo.multiply %1, %arg0 : tensor<f32>
    %3 = stablehlo.add %2, %cst : tensor<f32>
    %4 = stablehlo.maximum %3, %cst_0 : tensor<f32>
    return %4 : tensor<f32>
  }
}
