//! Tests of devices that save work in mode F: fewer bits, other orders of addition, fewer multiplications.

use super::exchange::{Computed, Exchange, Work, workload};
use crate::conformance::{conformance_operands, conformance_shape, conforms};
use crate::mode::Mode;
use crate::operands::{Matrix, Operands};
use crate::shape::Shape;
use crate::tile::Product;
use crate::verifier::Rejection;

/// The lines of both operands.
struct Lines {
    left: Vec<Vec<f32>>,
    right: Vec<Vec<f32>>,
}

impl Lines {
    fn of(operands: &Operands, shape: Shape) -> Self {
        let lines = |matrix, count| {
            let line = |line| {
                let blocks = (0..shape.depth() / 4).flat_map(|b| operands.block(matrix, line, b));
                blocks.map(|element| element as f32).collect()
            };
            (0..count).map(line).collect()
        };
        Self {
            left: lines(Matrix::Left, shape.rows()),
            right: lines(Matrix::Right, shape.columns()),
        }
    }
}

/// Multiplies with `entry` for every pair of a row and a column.
fn product_of(operands: &Operands, shape: Shape, entry: impl Fn(&[f32], &[f32]) -> f32) -> Product {
    let lines = Lines::of(operands, shape);
    let rows = lines.left.iter();
    let words = rows.flat_map(|left| {
        let columns = lines.right.iter();
        columns
            .map(|right| entry(left, right).to_bits())
            .collect::<Vec<_>>()
    });
    Product::from_words(shape, words.collect()).unwrap()
}

fn in_order(left: &[f32], right: &[f32]) -> f32 {
    left.iter().zip(right).fold(0.0, |sum, (a, b)| sum + a * b)
}

fn exact(left: &[f32], right: &[f32]) -> f64 {
    let pairs = left.iter().zip(right);
    pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// Rounds to so many bits of mantissa, the leading one included, to nearest even.
fn rounded(value: f32, bits: u32) -> f32 {
    let dropped = 24 - bits;
    let word = value.to_bits();
    let even = (word >> dropped) & 1;
    let nearest = word + (1 << (dropped - 1)) - 1 + even;
    f32::from_bits(nearest >> dropped << dropped)
}

/// Rounds to half precision; what is too large becomes infinite.
fn half(value: f32) -> f32 {
    let value = rounded(value, 11);
    if value.abs() > 65_504.0 {
        f32::INFINITY.copysign(value)
    } else {
        value
    }
}

/// Splits each operand into a high part and a low part of eight bits and adds exact integer products.
pub(super) fn int8_halves(operands: &Operands, shape: Shape) -> Product {
    let lines = Lines::of(operands, shape);
    let split = |line: &[f32]| -> Vec<(i64, i64)> {
        let parts = line.iter().map(|value| {
            let value = *value as i64;
            let high = (value + 32).div_euclid(64);
            (high, value - 64 * high)
        });
        parts.collect()
    };
    let left: Vec<_> = lines.left.iter().map(|line| split(line)).collect();
    let right: Vec<_> = lines.right.iter().map(|line| split(line)).collect();
    let mut words = Vec::new();
    for a in &left {
        for b in &right {
            let mut passes = [0_i64; 3];
            for ((a_high, a_low), (b_high, b_low)) in a.iter().zip(b) {
                assert!(
                    [a_high, a_low, b_high, b_low]
                        .iter()
                        .all(|part| part.abs() <= 127)
                );
                passes[0] += a_high * b_high;
                passes[1] += a_high * b_low + a_low * b_high;
                passes[2] += a_low * b_low;
            }
            let sum = 4_096 * passes[0] + 64 * passes[1] + passes[2];
            words.push(match operands.mode() {
                Mode::F => (sum as f32).to_bits(),
                Mode::I => (sum as i32).cast_unsigned(),
            });
        }
    }
    Product::from_words(shape, words).unwrap()
}

/// One level of Strassen's algorithm: seven products of halves where eight are usual.
fn strassen(operands: &Operands, shape: Shape) -> Product {
    let lines = Lines::of(operands, shape);
    let half_side = shape.rows() as usize / 2;
    let half_depth = shape.depth() as usize / 2;
    let block = |lines: &[Vec<f32>], down: usize, along: usize| -> Vec<Vec<f32>> {
        let lines = &lines[down * half_side..(down + 1) * half_side];
        let part = |line: &Vec<f32>| line[along * half_depth..(along + 1) * half_depth].to_vec();
        lines.iter().map(part).collect()
    };
    let combined = |x: &[Vec<f32>], sign: f32, y: &[Vec<f32>]| -> Vec<Vec<f32>> {
        let pairs = x.iter().zip(y);
        let added =
            |(x, y): (&Vec<f32>, &Vec<f32>)| x.iter().zip(y).map(|(x, y)| x + sign * y).collect();
        pairs.map(added).collect()
    };
    let times = |x: &[Vec<f32>], y: &[Vec<f32>]| -> Vec<Vec<f32>> {
        let row = |x: &Vec<f32>| y.iter().map(|y| in_order(x, y)).collect();
        x.iter().map(row).collect()
    };
    let [a11, a12] = [0, 1].map(|k| block(&lines.left, 0, k));
    let [a21, a22] = [0, 1].map(|k| block(&lines.left, 1, k));
    let [b11, b21] = [0, 1].map(|k| block(&lines.right, 0, k));
    let [b12, b22] = [0, 1].map(|k| block(&lines.right, 1, k));
    let m1 = times(&combined(&a11, 1.0, &a22), &combined(&b11, 1.0, &b22));
    let m2 = times(&combined(&a21, 1.0, &a22), &b11);
    let m3 = times(&a11, &combined(&b12, -1.0, &b22));
    let m4 = times(&a22, &combined(&b21, -1.0, &b11));
    let m5 = times(&combined(&a11, 1.0, &a12), &b22);
    let m6 = times(&combined(&a21, -1.0, &a11), &combined(&b11, 1.0, &b12));
    let m7 = times(&combined(&a12, -1.0, &a22), &combined(&b21, 1.0, &b22));
    let c11 = combined(&combined(&combined(&m1, 1.0, &m4), -1.0, &m5), 1.0, &m7);
    let c12 = combined(&m3, 1.0, &m5);
    let c21 = combined(&m2, 1.0, &m4);
    let c22 = combined(&combined(&combined(&m1, -1.0, &m2), 1.0, &m3), 1.0, &m6);
    let upper = c11.iter().zip(&c12);
    let rows = upper.chain(c21.iter().zip(&c22));
    let words = rows.flat_map(|(left, right)| left.iter().chain(right).map(|x| x.to_bits()));
    Product::from_words(shape, words.collect()).unwrap()
}

type Multiply = fn(&Operands, Shape) -> Product;

/// Every way of saving work, by name.
const SAVINGS: [(&str, Multiply); 10] = [
    ("inputs in bf16", |operands, shape| {
        let low = |line: &[f32]| line.iter().map(|x| rounded(*x, 8)).collect::<Vec<_>>();
        product_of(operands, shape, |a, b| in_order(&low(a), &low(b)))
    }),
    ("inputs in f16", |operands, shape| {
        let low = |line: &[f32]| line.iter().map(|x| half(*x)).collect::<Vec<_>>();
        product_of(operands, shape, |a, b| in_order(&low(a), &low(b)))
    }),
    ("inputs in TF32 with exact sums", |operands, shape| {
        let low = |line: &[f32]| line.iter().map(|x| rounded(*x, 11)).collect::<Vec<_>>();
        product_of(operands, shape, |a, b| exact(&low(a), &low(b)) as f32)
    }),
    ("sums in f16", |operands, shape| {
        let scaled = |sum: f32, (a, b): (&f32, &f32)| half(sum + a * b / 65_536.0);
        product_of(operands, shape, |a, b| {
            a.iter().zip(b).fold(0.0, scaled) * 65_536.0
        })
    }),
    ("8-bit units in four passes", int8_halves),
    ("the exactly rounded sum", |operands, shape| {
        product_of(operands, shape, |a, b| exact(a, b) as f32)
    }),
    ("the depth split in two", |operands, shape| {
        product_of(operands, shape, |a, b| {
            let half = a.len() / 2;
            in_order(&a[..half], &b[..half]) + in_order(&a[half..], &b[half..])
        })
    }),
    ("sums of blocks of eight", |operands, shape| {
        product_of(operands, shape, |a, b| {
            let blocks = a.chunks(8).zip(b.chunks(8));
            blocks.map(|(a, b)| in_order(a, b)).sum()
        })
    }),
    ("the order backwards", |operands, shape| {
        let backwards = |line: &[f32]| line.iter().rev().copied().collect::<Vec<_>>();
        product_of(operands, shape, |a, b| {
            in_order(&backwards(a), &backwards(b))
        })
    }),
    ("Strassen's seven products", strassen),
];

/// Returns the percentage of equal entries.
fn agreement(product: &Product, honest: &Product) -> usize {
    let pairs = product.words().iter().zip(honest.words());
    pairs.filter(|(a, b)| a == b).count() * 100 / honest.words().len()
}

#[test]
fn every_saving_is_rejected_in_mode_f() {
    for (name, multiply) in SAVINGS {
        let exchange = Exchange::start(workload(Mode::F, [64, 64, 2_048], 2), 3);
        let work = Work::chained(&exchange.challenge, |_, operands, shape| {
            Computed::of(&multiply(operands, shape))
        });
        let verdict = exchange.finish(&work);
        let is_wrong = matches!(verdict, Err(Rejection::WrongEntry { .. }));
        assert!(is_wrong, "{name}: {verdict:?}");
    }
}

/// A saving shows in nearly every entry, so that sixteen of a tile are far more than enough.
#[test]
fn savings_agree_on_few_entries_and_never_conform() {
    let (operands, shape) = (conformance_operands(), conformance_shape());
    let honest = Product::compute(&operands, shape);
    assert!(conforms(honest.words()));
    for (name, multiply) in SAVINGS {
        let product = multiply(&operands, shape);
        let percent = agreement(&product, &honest);
        assert!(percent < 25, "{name} agrees on {percent} %");
        assert!(!conforms(product.words()), "{name}");
    }
}

#[test]
fn the_order_of_k_conforms_with_and_without_fusing() {
    let (operands, shape) = (conformance_operands(), conformance_shape());
    let separate = product_of(&operands, shape, in_order);
    let fused = product_of(&operands, shape, |a, b| {
        a.iter().zip(b).fold(0.0, |sum, (a, b)| a.mul_add(*b, sum))
    });
    assert!(conforms(separate.words()));
    assert!(conforms(fused.words()));
}
