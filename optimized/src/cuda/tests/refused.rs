//! What a stream and the terms on it refuse, and what they do not look at.

use crate::{
    Agg, Backend, Error, Mask,
    cuda::{self, Batch, Buffer, Stream},
    testing::devices,
};

#[test]
fn what_cannot_be_recorded_is_refused_and_leaves_the_stream_as_it_was() {
    for backend in devices() {
        let on = Stream::new(backend).unwrap();
        let mut buffer = Buffer::new(&on, &[1.0f32, 2.0]).unwrap();
        let said = |run: &dyn Fn(&Stream) -> Result<(), Error>| on.record(run).unwrap_err().to_string();
        assert!(said(&|on| Stream::wait(on)).ends_with("`wait` while the stream is being recorded"));
        assert!(said(&|on| buffer.read(on).map(drop)).ends_with("`wait` while the stream is being recorded"));
        assert!(said(&|on| Buffer::<f32>::room(on, 1).map(drop)).contains("`room`"));
        assert!(said(&|on| on.record(|_| Ok(())).map(drop)).contains("`record`"));
        buffer.write(&on, &[3.0, 4.0]).unwrap();
        assert_eq!(buffer.read(&on).unwrap(), [3.0, 4.0]);
    }
}

#[test]
fn arguments_that_do_not_fit_are_refused_by_name() {
    let valid = [true, true, false];
    let mask = Mask::padded(&valid, 1, 3).unwrap();
    for backend in devices() {
        let on = Stream::new(backend).unwrap();
        let batch = Batch::new(&on, &mask).unwrap();
        let (x, short) = (Buffer::new(&on, &[1.0f32; 3]).unwrap(), Buffer::new(&on, &[1.0f32; 2]).unwrap());
        let mut one = Buffer::<f32>::room(&on, 1).unwrap();
        let mut scratch = Buffer::<f32>::room(&on, batch.scratch_len()).unwrap();
        let (agg, mut less) = (Agg::TokenMean, Buffer::<f32>::room(&on, batch.scratch_len() - 1).unwrap());
        let mut run = |x: &Buffer<f32>, scratch: &mut Buffer<f32>| {
            let done = cuda::aggregate(&on, x.view(), &batch, agg, one.view_mut(), scratch.view_mut());
            done.map_err(|err| err.to_string())
        };
        assert_eq!(run(&x, &mut scratch), Ok(()));
        let said = run(&short, &mut scratch).unwrap_err();
        assert!(said.starts_with("cuda::aggregate: `x` has 2") || said.contains("`x`"), "{said}");
        let said = run(&x, &mut less).unwrap_err();
        assert!(said.contains("`scratch`") && said.contains("`scratch_len`"), "{said}");
        assert_eq!(one.read(&on).unwrap(), [1.0]);
    }
    let on_a_cpu = Stream::new(Backend::best()).unwrap_err().to_string();
    assert!(on_a_cpu.contains("stream"), "{on_a_cpu}");
}

#[test]
fn an_action_outside_the_vocabulary_makes_its_token_nan_on_a_device() {
    let valid = [true, true];
    let mask = Mask::padded(&valid, 1, 2).unwrap();
    for backend in devices() {
        let on = Stream::new(backend).unwrap();
        let batch = Batch::new(&on, &mask).unwrap();
        let (logits, actions) =
            (Buffer::new(&on, &[0.0f32; 4]).unwrap(), Buffer::new(&on, &[1u32, 1 << 30]).unwrap());
        let mut logp = Buffer::<f32>::room(&on, 2).unwrap();
        let x = cuda::Logits::strided(logits.view(), 2, 2).unwrap();
        let out = cuda::TokenOut { logp: Some(logp.view_mut()), ..cuda::TokenOut::default() };
        cuda::token_pass(&on, x, actions.view(), &batch, 1.0, 1.0, out).unwrap();
        let got = logp.read(&on).unwrap();
        assert!(got[0] == -core::f32::consts::LN_2 && got[1].is_nan(), "{got:?}");
    }
}
