// `eq:return`: 9 bytes read a token, 4 written, one operation.

KERNEL(returns, 128, Each) {
    each(args, [](float adv, float v_old) { return __fadd_rn(adv, v_old); });
}
