//! One row of logits as ORDER.md says it, sections 2 and 4: scalar, slow, obvious, and written without the code
//! that it judges.

fn fma(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

fn sel(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

fn bits(bits: u32) -> f32 {
    f32::from_bits(bits)
}

fn horner(coefficients: &[u32], x: f32) -> f32 {
    coefficients.iter().map(|c| bits(*c)).reduce(|q, c| fma(q, x, c)).unwrap()
}

const LO: f32 = f32::from_bits(0xc2ad_496b);
const ONE: u32 = 0x3f80_0000;

/// 2.1
fn exp(u: f32) -> f32 {
    let log2e = bits(0x3fb8_aa3b);
    let s = fma(u, log2e, 12_582_912.0);
    let k = s - 12_582_912.0;
    let f = fma(u, log2e, -k);
    let q = horner(&[0x3aad_feaf, 0x3c1e_757d, 0x3d63_5b4d, 0x3e75_fcdd, 0x3f31_7215, ONE], f);
    bits(q.to_bits().wrapping_add(s.to_bits() << 23))
}

/// 2.3
fn ln(x: f32) -> f32 {
    let (x, k0) = if x < bits(0x0080_0000) { (x * 8_388_608.0, -23.0) } else { (x, 0.0) };
    let i = x.to_bits().wrapping_sub(0x3f2a_aaab);
    let k = ((i as i32) >> 23) as f32 + k0;
    let f = bits((i & 0x7f_ffff).wrapping_add(0x3f2a_aaab)) - 1.0;
    let upper = [0xbe03_803a, 0x3e0f_7e38, 0xbdf9_c8d8, 0x3e0f_5aa2, 0xbe2a_cc62];
    let lower = [0x3e4c_e946, 0xbe7f_ff88, 0x3eaa_aa80, 0xbf00_0000];
    let q = horner(&[upper.as_slice(), &lower].concat(), f);
    fma(k, bits(0x3f31_7218), fma(k, bits(0xb102_e308), fma(f * f, q, f)))
}

fn folded(mut lanes: Vec<f32>) -> f32 {
    let mut stride = lanes.len() / 2;
    while stride > 0 {
        for l in 0..stride {
            lanes[l] += lanes[l + stride];
        }
        stride /= 2;
    }
    lanes[0]
}

/// m, S and W of one tile.
fn tile(x: &[f32]) -> [f32; 3] {
    let m = x.iter().fold(-f32::MAX, |m, x| sel(*x, m)) + 0.0;
    let (mut s, mut w) = (vec![0.0; 128], vec![0.0; 128]);
    for i in 0..2048 {
        let x = if i < x.len() { x[i] } else { f32::NEG_INFINITY };
        let u = sel(LO, x - m);
        let e = exp(u);
        s[i % 128] += e;
        w[i % 128] = fma(e, u, w[i % 128]);
    }
    [m, folded(s), folded(w)]
}

/// log π, H, M, ls of a row that was multiplied by 1/τ.
fn forward(x: &[f32], x_a: f32) -> [f32; 4] {
    let tiles: Vec<_> = x.chunks(2048).map(tile).collect();
    let max = tiles.iter().fold(-f32::MAX, |max, [m, ..]| sel(*m, max)) + 0.0;
    let (mut s, mut w) = (vec![0.0; 32], vec![0.0; 32]);
    for (t, [m, s_t, w_t]) in tiles.into_iter().enumerate() {
        let d = sel(LO, m - max);
        let c = exp(d);
        s[t % 32] = fma(c, s_t, s[t % 32]);
        w[t % 32] = fma(c, fma(d, s_t, w_t), w[t % 32]);
    }
    let (s, w) = (folded(s), folded(w));
    if s.is_nan() || s < 1.0 || w.is_nan() || x_a.is_nan() {
        return [bits(0x7fc0_0000); 4];
    }
    let ls = ln(s);
    [(x_a - max) - ls, ls - w / s, max, ls]
}

/// ∂/∂x of a row before temperature, from M and ls after it.
fn backward(x: &[f32], a: usize, inv_tau: f32, [h, max, ls, g_logp, g_ent]: [f32; 5]) -> Vec<f32> {
    let c = -fma(g_ent, h, g_logp);
    let mut dx: Vec<f32> = x
        .iter()
        .map(|x| {
            let lp = sel(LO, (x * inv_tau - max) - ls);
            let p = if lp == LO { 0.0 } else { exp(lp) };
            p * fma(-g_ent, lp, c)
        })
        .collect();
    dx[a] += g_logp;
    dx.into_iter().map(|dx| dx * inv_tau).collect()
}

/// What a token's row of logits must give: log π, H, M and ls, those two for the entropy, and the gradient.
pub(super) fn token(x: &[f32], a: usize, tau: [f32; 2], g: [f32; 2]) -> ([f32; 6], Vec<f32>) {
    let inv = tau.map(|tau| 1.0 / tau);
    let said = inv.map(|inv| {
        let x: Vec<f32> = x.iter().map(|x| x * inv).collect();
        forward(&x, x[a])
    });
    let [[logp, _, max, ls], [_, h, max_ent, ls_ent]] = said;
    let grad = if tau[0] == tau[1] {
        backward(x, a, inv[0], [h, max, ls, g[0], g[1]])
    } else {
        let through_logp = backward(x, a, inv[0], [0.0, max, ls, g[0], 0.0]);
        let through_ent = backward(x, a, inv[1], [h, max_ent, ls_ent, 0.0, g[1]]);
        through_logp.into_iter().zip(through_ent).map(|(l, h)| l + h).collect()
    };
    ([logp, h, max, ls, max_ent, ls_ent], grad)
}
