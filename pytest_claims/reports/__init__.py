"""What a run leaves for people and machines: results.json, the page, JUnit, Allure, the kill table."""
