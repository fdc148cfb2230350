//! The widgets there are: what each starts with, says of itself, and shows where scripts are off.

use super::still;
use std::fmt;

/// One kind of widget.
pub(super) struct Kind {
    /// As a page names it, and its script.
    pub(super) name: &'static str,
    /// What it starts with, by the names of its call's arguments; a comma makes a list.
    start: &'static str,
    /// Choices by their words, in the order of the enum.
    words: &'static [(&'static str, &'static [&'static str])],
    /// For who does not see it.
    pub(super) label: &'static str,
    /// What to do and what to look for.
    pub(super) caption: &'static str,
    /// The table that stands in its place.
    pub(super) still: fn(&Start) -> Result<String, String>,
}

/// Every widget, in the order of the step.
pub(super) const KINDS: [Kind; 7] = [
    Kind {
        name: "gae",
        start: "gap=0 gamma=0.9 lambda=0.8 v_last=0.5 r=0,0,0,0,0,1 v=0.2,0.6,0.3,0.5,0.4,0.7 mask=1,1,1,0,1,1 look=1",
        words: &[("gap", &["skip", "decay", "cut"])],
        label: "GAE on one row, to play with",
        caption: "Drag values and rewards, mask a slot, turn γ and λ. The filled part of each δ is its share in the \
                  advantage of the marked token: the shares shrink by γλ a step, and a gap lets them pass, ages \
                  them, or stops them.",
        still: still::gae,
    },
    Kind {
        name: "whiten",
        start: "variance=1 eps_at=0 eps=1 adv=0.5,2,-1,1.5,4,-0.5,4 mask=1,1,1,1,0,1,0 ghost=0",
        words: &[("variance", &["n", "n-1"]), ("eps_at", &["std", "under-root", "var-floor"])],
        label: "Whitening, to play with",
        caption: "Drag advantages and mask slots. Whatever their unit was, the tokens come out with mean 0 and \
                  variance 1, unless ε<sub>w</sub> is no longer small beside σ. Count the padding and every token moves.",
        still: still::whiten,
    },
    Kind {
        name: "policy-clip",
        start: "adv=1 log_ratio=0.1 eps_lo=0.2 eps_hi=0.2 dual=0",
        words: &[],
        label: "The policy loss of one token, to play with",
        caption: "Drag the token along its ratio, then make Â negative. Each sign has one side on which the loss goes \
                  flat and the gradient is gone; on the other the clip does nothing, however far the ratio runs.",
        still: still::policy_clip,
    },
    Kind {
        name: "value-clip",
        start: "v=0.75 v_old=0.25 ret=1 eps_v=0.25 form=0 half=0",
        words: &[("form", &["max", "clipped-only", "off"]), ("half", &["no", "yes"])],
        label: "The value loss of one token, to play with",
        caption: "Drag V from V<sub>old</sub> towards R: past the radius the loss stays where it is and the gradient is gone, \
                  though V is not yet right. Then drag it the other way, and take the clipped square alone.",
        still: still::value_clip,
    },
    Kind {
        name: "entropy",
        start: "tau=1 logits=2,1,0.5,-0.5,-1.5",
        words: &[],
        label: "Entropy of one distribution, to play with",
        caption: "Drag the logits and turn the temperature. The gradient takes from the likely tokens and gives to \
                  the others, least to those that have next to no probability.",
        still: still::entropy,
    },
    Kind {
        name: "step",
        start: "epochs=8 lr=0.08 eps=0.2 eps_v=0.2 c_v=0.5 c_h=0.01 gamma=0.9 lambda=0.8 scores=1,-0.5 epoch=0",
        words: &[],
        label: "A whole step, epoch by epoch, to play with",
        caption: "Two responses of three and two tokens from three words, one frozen batch, eight epochs of Adam. Go \
                  from epoch to epoch and see which tokens the clips have let go, and what still pulls.",
        still: still::step,
    },
    Kind {
        name: "returns",
        start: "rounds=40 share=0.3 gamma=1 lambda=0.95 v_0=-0.5 scores=1,0.5,1.5,1",
        words: &[],
        label: "A critic and the level of its targets, to play with",
        caption: "Set what the critic says at first, and the scores. Fitted to returns from raw advantages it comes to \
                  the mean score; from whitened ones its level stays where it began, whatever the scores are.",
        still: still::returns,
    },
];

/// What a widget starts with.
pub(super) struct Start {
    entries: Vec<(&'static str, String)>,
    words: &'static [(&'static str, &'static [&'static str])],
}

impl Start {
    pub(super) fn of(kind: &Kind) -> Start {
        let pairs = kind.start.split(' ').filter_map(|pair| pair.split_once('='));
        Start { entries: pairs.map(|(key, value)| (key, value.into())).collect(), words: kind.words }
    }

    /// Replaces one entry: numbers where there were numbers, a list where there was a list.
    pub(super) fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let known: Vec<&str> = self.entries.iter().map(|(key, _)| *key).collect();
        let words = self.words.iter().find(|(name, _)| *name == key).map(|(_, words)| *words);
        let Some((_, held)) = self.entries.iter_mut().find(|(name, _)| *name == key) else {
            return Err(format!("`{key}` is none of {}", known.join(", ")));
        };
        let value = match words {
            Some(words) => {
                let place = words.iter().position(|word| *word == value);
                place
                    .ok_or_else(|| format!("`{key}` is `{value}` and must be one of {}", words.join(", ")))?
                    .to_string()
            }
            None => value.into(),
        };
        let (is_list, was_list) = (value.contains(','), held.contains(','));
        if is_list != was_list || numbers(&value).is_none() {
            let wanted = if was_list { "numbers with commas" } else { "one number" };
            return Err(format!("`{key}` is `{value}` and must be {wanted}"));
        }
        *held = value;
        Ok(())
    }

    /// The numbers of an entry.
    pub(super) fn list(&self, key: &str) -> Vec<f64> {
        let value = self.entries.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| value);
        numbers(value).unwrap_or_default()
    }

    /// The input of a call: one number, or a list after its length.
    pub(super) fn input(&self, keys: &[&str]) -> Vec<f64> {
        let of = |key: &&str| {
            let (list, value) = (self.list(key), self.entries.iter().find(|(name, _)| name == key));
            let length = value.filter(|(_, value)| value.contains(',')).map(|_| list.len() as f64);
            length.into_iter().chain(list).collect::<Vec<f64>>()
        };
        keys.iter().flat_map(of).collect()
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.entries.iter().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&pairs.join(" "))
    }
}

fn numbers(value: &str) -> Option<Vec<f64>> {
    value.split(',').filter(|word| !word.is_empty()).map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::html;

    #[test]
    fn every_widget_has_a_figure_with_a_table_of_its_numbers() {
        for kind in &super::KINDS {
            let html = html(kind.name).unwrap_or_else(|what| panic!("{}: {what}", kind.name));
            for part in ["<figure class=\"widget\"", "<table>", "<caption>", "<figcaption>", kind.label] {
                assert!(html.contains(part), "{} lacks {part}: {html}", kind.name);
            }
            assert!(!html.contains("\n\n"), "a blank line ends the HTML of Markdown: {html}");
            assert!(!html.contains("NaN"), "{html}");
        }
    }

    /// The first of these is the worked example of `gae.rs`: δ = \[1, 0\], Â = \[1, 0\].
    #[test]
    fn what_a_page_says_is_what_is_computed() {
        let page = html("gae gamma=0.5 lambda=0.5 v_last=4 r=1,0 v=1,2 mask=1,1 gap=cut agrees=gae").unwrap();
        assert!(
            page.contains("data-start=\"gap=2 gamma=0.5 lambda=0.5 v_last=4 r=1,0 v=1,2 mask=1,1 look=1\"")
        );
        assert!(page.contains("data-agrees=\"gae\""));
        let row = "<tr><th scope=\"row\">0</th><td>token</td><td>1.00</td><td>1.00</td><td>1.0000</td><td>1.0000</td>";
        assert!(page.contains(row), "{page}");
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        let cases = [
            (
                "gea",
                "there is no widget `gea`, but gae, whiten, policy-clip, value-clip, entropy, step, returns",
            ),
            ("gae gamma", "`gamma` is no `key=value`"),
            ("gae beta=1", "`beta` is none of gap, gamma, lambda, v_last, r, v, mask, look"),
            ("gae gap=jump", "`gap` is `jump` and must be one of skip, decay, cut"),
            ("gae gamma=big", "`gamma` is `big` and must be one number"),
            ("gae r=1", "`r` is `1` and must be numbers with commas"),
            ("gae gamma=2", "gae: `gamma` is 2 and must lie in [0, 1]"),
            ("gae r=1,2", "gae: `v` has 6 entries and `r` 2"),
        ];
        for (args, what) in cases {
            assert_eq!(html(args).unwrap_err(), what);
        }
    }
}
