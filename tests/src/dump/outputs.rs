//! What the file says that the step computes, and what it holds beneath the mask: read on demand, every value legal.

use super::{BadInput, Dump, Rows, Tensor, tensor};
use nalgebra::DMatrix;
use safetensors::Dtype;

impl Dump {
    /// The file's own outputs by canonical name, in the order of the step.
    pub fn output_names(&self) -> Vec<&'static str> {
        let has = |name: &&str| self.roles().outputs.contains_key(name);
        super::names::OUTPUTS.iter().map(|row| row.name).filter(has).collect()
    }

    /// A scalar such as `pg_loss`; none where the file has none.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn output_scalar(&self, name: &str) -> Result<Option<f64>, BadInput> {
        let Some(tensor) = self.output(name) else { return Ok(None) };
        let mut one = Vec::new();
        self.stream_of(tensor).numbers(0, 1, &mut one)?;
        Ok(one.first().copied())
    }

    /// A b × t_len matrix such as `returns`, with whatever stands in masked slots; none where the file has
    /// none.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn output_matrix(&self, name: &str) -> Result<Option<DMatrix<f64>>, BadInput> {
        let Some(tensor) = self.output(name) else { return Ok(None) };
        let mut stream = self.stream_of(tensor);
        tensor::matrix(&mut stream, 0.0, tensor::number(tensor)?, |_, x| Ok(x)).map(Some)
    }

    /// A b × t_len input such as `old_values`, with whatever stands in masked slots; none where the file has none.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn input_matrix(&self, name: &str) -> Result<Option<DMatrix<f64>>, BadInput> {
        let Some(tensor) = self.input(name) else { return Ok(None) };
        let mut stream = self.stream_of(tensor);
        tensor::matrix(&mut stream, 0.0, tensor::number(tensor)?, |_, x| Ok(x)).map(Some)
    }

    /// A (B, L, V) tensor, `grad_logits`, to be read row by row; none where the file has none.
    pub fn output_rows(&self, name: &str) -> Option<Rows> {
        Some(Rows::new(self.stream_of(self.output(name)?)))
    }

    /// The dtype that an output is stored in; none where the file has none.
    pub fn dtype_of_output(&self, name: &str) -> Option<Dtype> {
        self.output(name).map(|tensor| tensor.dtype)
    }

    fn output(&self, name: &str) -> Option<&Tensor> {
        let name = self.roles().outputs.get(name)?;
        self.header().tensors.iter().find(|tensor| tensor.name == *name)
    }
}
