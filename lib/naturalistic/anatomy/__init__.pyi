from .atlas import parcels_of
from .parcels import equal_area_parcels, parcel_columns

__all__ = ["equal_area_parcels", "parcel_columns", "parcels_of"]
