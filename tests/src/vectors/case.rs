//! One case of a test vector: inputs by their names in a dump, and settings by their keys.

use crate::dump::{INPUTS, Kind};

/// A named array of the inputs, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// As a dump names it.
    pub name: String,
    /// Its axes.
    pub shape: Vec<usize>,
    /// Its elements.
    pub x: Vec<f64>,
}

impl Tensor {
    /// What its elements are.
    pub fn kind(&self) -> Kind {
        INPUTS.iter().find(|row| row.name == self.name).map_or(Kind::Number, |row| row.kind)
    }
}

/// One case: what goes in. What comes out is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name, unique in its file.
    pub name: String,
    /// What it is there for.
    pub comment: String,
    /// In the order they were given.
    pub inputs: Vec<Tensor>,
    /// Key and value, as the metadata of a dump spells them.
    pub settings: Vec<(String, String)>,
}

/// A case without inputs yet.
pub fn case(name: impl Into<String>, comment: impl Into<String>) -> Case {
    Case { name: name.into(), comment: comment.into(), inputs: Vec::new(), settings: Vec::new() }
}

impl Case {
    /// An input of that name.
    pub fn input(&self, name: &str) -> Option<&Tensor> {
        self.inputs.iter().find(|tensor| tensor.name == name)
    }

    /// An input of any shape; the latter of two of one name holds.
    pub fn tensor(mut self, name: &str, shape: &[usize], x: Vec<f64>) -> Case {
        assert_eq!(shape.iter().product::<usize>(), x.len(), "{}: {name}", self.name);
        self.inputs.retain(|tensor| tensor.name != name);
        self.inputs.push(Tensor { name: name.to_owned(), shape: shape.to_vec(), x });
        self
    }

    /// b rows of t_len numbers.
    pub fn rows<const L: usize>(self, name: &str, rows: &[[f64; L]]) -> Case {
        self.tensor(name, &[rows.len(), L], rows.as_flattened().to_vec())
    }

    /// One row of numbers.
    pub fn row<const L: usize>(self, name: &str, row: [f64; L]) -> Case {
        self.rows(name, &[row])
    }

    /// One number a row.
    pub fn per_row(self, name: &str, x: &[f64]) -> Case {
        self.tensor(name, &[x.len()], x.to_vec())
    }

    /// b rows of digits, each a flag or a small number: `"1101"`.
    pub fn digits(self, name: &str, rows: &[&str]) -> Case {
        let x = rows.iter().flat_map(|row| row.chars()).map(|c| f64::from(c.to_digit(10).unwrap_or(0)));
        let x: Vec<f64> = x.collect();
        let shape = [rows.len(), x.len() / rows.len()];
        self.tensor(name, &shape, x)
    }

    /// The response mask, a digit a slot.
    pub fn mask(self, rows: &[&str]) -> Case {
        self.digits("response_mask", rows)
    }

    /// Logits of one row, one token a line.
    pub fn logits<const V: usize>(self, tokens: &[[f64; V]]) -> Case {
        self.tensor("logits", &[1, tokens.len(), V], tokens.as_flattened().to_vec())
    }

    /// A setting; the latter of two of one key holds.
    pub fn set(mut self, key: &str, value: &str) -> Case {
        self.settings.retain(|(other, _)| other != key);
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Several settings.
    pub fn with(self, settings: &[(&str, &str)]) -> Case {
        settings.iter().fold(self, |case, (key, value)| case.set(key, value))
    }

    /// b and t_len: those of the first input that has both.
    pub fn shape(&self) -> (usize, usize) {
        let per_token = self.inputs.iter().find(|tensor| tensor.shape.len() > 1);
        per_token.map_or((0, 0), |tensor| (tensor.shape[0], tensor.shape[1]))
    }

    /// With a mask in front, all ones where none was given: a stranger has no default to know.
    #[must_use]
    pub fn masked(mut self) -> Case {
        let (b, t_len) = self.shape();
        let ones =
            Tensor { name: "response_mask".to_owned(), shape: vec![b, t_len], x: vec![1.0; b * t_len] };
        let at = self.inputs.iter().position(|tensor| tensor.name == "response_mask");
        let mask = at.map_or(ones, |at| self.inputs.remove(at));
        self.inputs.insert(0, mask);
        self
    }
}
