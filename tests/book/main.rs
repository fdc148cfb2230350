//! The book stands, and each way in which a book can be wrong is seen and named.

mod tiny;

mod blocks;
mod built;
mod formulas;
mod includes;
mod links;
mod listings;
mod numbers;
mod outside;
mod real;
