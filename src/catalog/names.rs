//! Names by package, looked up without making a key of them.

use datafusion::common::HashMap;

/// What names stand for, in each package.
#[derive(Debug, Clone)]
pub(crate) struct Names<T> {
    packages: HashMap<String, HashMap<String, T>>,
}

impl<T> Names<T> {
    /// What a name of a package stands for.
    pub(crate) fn get(&self, package: &str, name: &str) -> Option<&T> {
        self.packages.get(package)?.get(name)
    }

    /// Whether a package has that name.
    pub(crate) fn has(&self, package: &str, name: &str) -> bool {
        self.get(package, name).is_some()
    }

    /// All names with their packages, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str, &T)> {
        self.packages.iter().flat_map(|(package, names)| {
            names.iter().map(move |(name, value)| (package.as_str(), name.as_str(), value))
        })
    }

    /// Gives a name its meaning; the last one counts.
    pub(crate) fn insert(&mut self, package: &str, name: &str, value: T) {
        self.packages.entry_ref(package).or_default().insert(name.to_string(), value);
    }
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Names { packages: HashMap::default() }
    }
}
